"""From a judged message to bytes on the wire: compiled template, MIME skeleton, signed addresses."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

from crm_communication_dispatch.links import Links
from crm_communication_dispatch.messages.domain import TEST
from crm_communication_dispatch.messages.judging import Judged, explanation
from crm_communication_dispatch.messages.store.waves import Ready
from crm_communication_dispatch.providers.configuration import Route
from crm_communication_dispatch.providers.domain import WireMail
from crm_communication_dispatch.providers.mime import Frame, Letter, Skeleton, require_address
from crm_communication_dispatch.templates.commands import SampleReader
from crm_communication_dispatch.templates.domain import TemplateVersion
from crm_communication_dispatch.templates.rendering import compiled
from crm_communication_dispatch.templates.sandbox import TemplateRefused
from crm_shared.errors import CrmError

_SKELETONS = 256


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail ready for the wire, and what the ledger keeps of it."""

    judged: Judged
    mail: WireMail
    ready: Ready


@dataclass(frozen=True, slots=True)
class Uncomposable:
    """A message that can't be written, and why."""

    judged: Judged
    reason: str


_skeletons: OrderedDict[Frame, Skeleton] = OrderedDict()


def skeleton_of(frame: Frame) -> Skeleton:
    """The skeleton of a frame, built once."""
    known = _skeletons.get(frame)
    if known is None:
        known = _skeletons[frame] = Skeleton(frame)
        if len(_skeletons) > _SKELETONS:
            _skeletons.popitem(last=False)
    return known


@lru_cache(maxsize=4)
def _date(second: datetime) -> str:
    return format_datetime(second)


class Composer:
    """Writes the mails of one tenant and route."""

    def __init__(
        self, tenant: UUID, route: Route, links: Links, versions: Mapping[tuple[UUID, int], TemplateVersion]
    ) -> None:
        self._tenant = tenant
        self._route = route
        self._links = links
        self._versions = versions
        self._skeletons: dict[tuple[str, bool, bool], Skeleton] = {}

    def compose(self, judged: Judged, *, urgent: bool, now: datetime) -> Composed | Uncomposable:
        """One message as bytes; a template or address at fault makes it uncomposable, never a crash of the wave."""
        try:
            return self._compose(judged, urgent=urgent, now=now)
        except TemplateRefused as refused:
            return Uncomposable(judged, f"render_{refused.code}")
        except CrmError as error:
            return Uncomposable(judged, error.code)

    def _compose(self, judged: Judged, *, urgent: bool, now: datetime) -> Composed | Uncomposable:
        message, customer = judged.message, judged.customer
        version = self._versions.get((message.template_id, message.template_number))
        if version is None or judged.address is None:
            return Uncomposable(judged, "template_missing" if version is None else "no_address")
        made = compiled(version)
        reader = customer or SampleReader()
        language = made.language_for("email", message.language or reader.language)
        links = self._links.of(self._tenant, message.id)
        values = made.values_for(reader, message.variables, coupon=message.coupon)
        rendered = made.email(language).render(values, links)
        address = require_address(judged.address)
        sender, reply_to = self._links.mailboxes(self._tenant, message.id)
        bulk = not urgent and message.purpose != TEST
        letter = Letter(
            to_name=reader.display_name if customer else None,
            to_address=address,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_ref=self._links.message_ref(message.id),
            date=_date(now.replace(microsecond=0)),
            unsubscribe_url=links.unsubscribe() if bulk else None,
            reply_to=reply_to,
        )
        mail = WireMail(
            message.id,
            sender,
            address,
            self._skeleton(language, with_html=rendered.html is not None, bulk=bulk).fill(letter),
        )
        why = explanation(judged.verdict, now)
        ready = Ready(message.id, language, address, rendered.subject, judged.verdict.consent_id, why)
        return Composed(judged, mail, ready)

    def _skeleton(self, language: str, *, with_html: bool, bulk: bool) -> Skeleton:
        known = self._skeletons.get((language, with_html, bulk))
        if known is None:
            frame = Frame(
                from_name=self._route.from_name,
                from_address=self._route.from_address,
                language=language,
                with_html=with_html,
                with_unsubscribe=bulk,
                with_reply_to=True,
            )
            known = self._skeletons[language, with_html, bulk] = skeleton_of(frame)
        return known
