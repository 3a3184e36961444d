"""Contact points as typed by people, brought to one form by the rules of `email-validator` and `phonenumbers`."""

import re
from collections.abc import Sequence
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from crm_customer.parties.domain import ContactChannel, ContactPoint, TypedPoint, fold
from crm_shared.errors import FieldError, Invalid


class NotReachable(ValueError):
    """The text is no contact point of this channel; the message says what would be."""


def contact_points(points: Sequence[TypedPoint], *, country: str | None) -> tuple[ContactPoint, ...]:
    """Normalised contact points.

    Raises:
        Invalid: some can't be; each is named.
    """
    result: list[ContactPoint] = []
    errors: list[FieldError] = []
    for index, point in enumerate(points):
        try:
            value, folded = normalised(point.channel, point.value, country=country)
        except NotReachable as error:
            errors.append(FieldError(f"/contact_points/{index}/value", "contact_point_invalid", str(error)))
            continue
        result.append(
            ContactPoint(
                point.channel, value, folded, point.preferred, point.verified, point.valid_from, point.valid_until
            )
        )
    if errors:
        raise Invalid("Some contact points are not valid.", code="contact_points_invalid", errors=errors)
    return tuple(result)


def normalised(channel: ContactChannel, value: str, *, country: str | None) -> tuple[str, str]:
    """The value to keep and its folded form; a phone number without a country code is read as one of `country`.

    Raises:
        NotReachable: the text is no contact point of this channel.
    """
    match channel:
        case ContactChannel.EMAIL:
            return _email(value)
        case ContactChannel.PHONE | ContactChannel.FAX:
            return _phone(value, country)
        case ContactChannel.POSTAL | ContactChannel.SOCIAL | ContactChannel.DEVICE:
            return _plain(value)


# A dot-atom of RFC 5322 §3.2.3, which is all but a handful of the addresses in use.
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_MAX_LOCAL = 64
_MAX_ADDRESS = 254


def _email(value: str) -> tuple[str, str]:
    local, _, domain = value.strip().rpartition("@")
    if len(local) <= _MAX_LOCAL and _PLAIN_LOCAL.fullmatch(local) and len(domain) < _MAX_ADDRESS - len(local):
        # Most of the work is the domain's, and most domains come again and again.
        known = _domain(domain)
        if known is not None and len(local) + 1 + len(known) <= _MAX_ADDRESS:
            return f"{local}@{known}", f"{local}@{known}".casefold()
    try:
        address = validate_email(value.strip(), check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise NotReachable(f"Not an e-mail address: {error}") from None
    # Mailbox names may differ by case in theory (RFC 5321 §2.4) and never do in practice: fold for comparing only.
    return address.normalized, address.normalized.casefold()


@lru_cache(maxsize=5_000)
def _domain(domain: str) -> str | None:
    try:
        return validate_email(f"a@{domain}", check_deliverability=False).domain
    except EmailNotValidError:
        return None


@lru_cache(maxsize=20_000)
def _phone(value: str, country: str | None) -> tuple[str, str]:
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        hint = "with its country code, such as +49 30 123456" if country is None else f"of {country}"
        raise NotReachable(f"Not a phone number {hint}.") from None
    if not phonenumbers.is_possible_number(number):
        raise NotReachable("Not a possible phone number: too long or too short.")
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    extension = f";ext={number.extension}" if number.extension else ""  # RFC 3966
    return e164 + extension, e164 + extension


def _plain(value: str) -> tuple[str, str]:
    kept = " ".join(value.replace("\x00", " ").split())
    folded = fold(kept)
    if not folded:
        raise NotReachable("Expected some text.")
    return kept, folded
