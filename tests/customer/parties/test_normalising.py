import string

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from crm_customer.parties.domain import ContactChannel
from crm_customer.parties.normalising import NotReachable, normalised

LOCALS = st.text(string.ascii_letters + string.digits + ".+-_!'\" ", min_size=1, max_size=12)
DOMAINS = st.sampled_from(
    ["Example.COM", "münchen.de", "a..b", "localhost", "test", "x.test", "mail.example.org", "-a.de", ""]
)


@given(LOCALS, DOMAINS)
def test_the_short_way_for_mail_says_what_the_library_says(local: str, domain: str) -> None:
    typed = f"{local}@{domain}"
    try:
        expected = validate_email(typed.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        with pytest.raises(NotReachable):
            normalised(ContactChannel.EMAIL, typed, country=None)
    else:
        assert normalised(ContactChannel.EMAIL, typed, country=None)[0] == expected


@pytest.mark.parametrize(
    ("channel", "typed", "country", "value"),
    [
        (ContactChannel.EMAIL, " Ada.Loewe@EXAMPLE.com ", None, "Ada.Loewe@example.com"),
        (ContactChannel.PHONE, "(030) 12 34-56", "DE", "+4930123456"),
        (ContactChannel.PHONE, "+1 650 253 0000 ext. 12", None, "+16502530000;ext=12"),
        (ContactChannel.FAX, "0033 1 42 68 53 00", "DE", "+33142685300"),
        (ContactChannel.POSTAL, " Long  Road 1,\n Town ", None, "Long Road 1, Town"),
    ],
)
def test_normalising_is_done_once(channel: ContactChannel, typed: str, country: str | None, value: str) -> None:
    first = normalised(channel, typed, country=country)
    assert first[0] == value
    assert normalised(channel, first[0], country=country) == first
    assert normalised(channel, first[1], country=country)[1] == first[1]


@pytest.mark.parametrize(
    ("channel", "typed"),
    [
        (ContactChannel.EMAIL, "ada@"),
        (ContactChannel.EMAIL, "a@b@c.de"),
        (ContactChannel.PHONE, "030 123456"),
        (ContactChannel.PHONE, "+49 1"),
        (ContactChannel.POSTAL, " \n "),
    ],
)
def test_what_reaches_nobody_is_refused(channel: ContactChannel, typed: str) -> None:
    with pytest.raises(NotReachable):
        normalised(channel, typed, country=None)


PIECES = st.sampled_from(
    [
        *"+()-./ ;,@0123456789abzÄßİ\x00\n\t",
        "ext=",
        "x12",
        "+49",
        "0049",
        "@example.org",
        "@bücher.example",
        "..",
        "@[1.2.3.4]",
    ]
)
TYPED = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=25).map("".join))


@given(st.sampled_from(ContactChannel), TYPED, st.sampled_from([None, "DE", "US", "ZZ"]))
def test_any_text_is_one_form_that_stays_as_it_is_or_reaches_nobody(
    channel: ContactChannel, typed: str, country: str | None
) -> None:
    try:
        kept, folded = normalised(channel, typed, country=country)
    except NotReachable:
        return
    assert normalised(channel, kept, country=country) == (kept, folded)
    assert "\x00" not in kept + folded
