"""An approved version compiled once: texts, and the links in them whose clicks are counted."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from types import SimpleNamespace
from typing import Any, Protocol

from jinja2 import TemplateError

from crm_communication_dispatch.templates.domain import (
    EmailText,
    TemplateVersion,
    VariableType,
    choose_language,
    typed_values,
)
from crm_communication_dispatch.templates.sandbox import Piece, TemplateRefused, check
from crm_shared.errors import FieldError, Invalid

_HREF = re.compile(r"""(<a\b[^>]*?\bhref\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
_BARE_URL = re.compile(r"https?://[^\s<>\"'{}]+[^\s<>\"'{}.,;:!?)\]]")
_CACHE_SIZE = 256


class Reader(Protocol):
    """The customer as a template sees one."""

    @property
    def given_name(self) -> str | None: ...

    @property
    def family_name(self) -> str | None: ...

    @property
    def display_name(self) -> str | None: ...

    @property
    def language(self) -> str | None: ...

    @property
    def country(self) -> str | None: ...


class LinkMaker(Protocol):
    """Makes the addresses that belong to one message."""

    def click(self, index: int) -> str:
        """Where the message's link number `index` points, so that a click on it is seen."""
        ...

    def unsubscribe(self) -> str:
        """Where one click ends it."""
        ...

    def web_view(self) -> str:
        """Where the message can be read in a browser."""
        ...


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """What one customer reads."""

    language: str
    subject: str
    text: str
    html: str | None


class CompiledEmail:
    """One language of one version."""

    def __init__(self, language: str, source: EmailText) -> None:
        self.language = language
        self.link_sources: list[str] = []
        self._subject = Piece(source.subject, html=False)
        self._text = Piece(_BARE_URL.sub(self._track_bare, source.text), html=False)
        self._html = None if source.html is None else Piece(_HREF.sub(self._track_href, source.html), html=True)
        self._links = [_link_piece(link) for link in self.link_sources]
        self.with_html = source.html is not None

    def _track_href(self, found: re.Match[str]) -> str:
        target = unescape(found[3]).strip()
        if not target.startswith(("http://", "https://", "{{")) or re.match(r"\{\{\s*links\.", target):
            return found[0]
        return f"{found[1]}{found[2]}{{{{ {self._add(target)} }}}}{found[2]}"

    def _track_bare(self, found: re.Match[str]) -> str:
        return f"{{{{ {self._add(found[0])} }}}}"

    def _add(self, target: str) -> str:
        self.link_sources.append(target)
        return f"_link_{len(self.link_sources) - 1}"

    def render(self, values: Mapping[str, Any], links: LinkMaker) -> RenderedEmail:
        """The mail of one customer; `values` come from `values_for`."""
        tracked = {f"_link_{index}": links.click(index) for index in range(len(self.link_sources))}
        everything = {**values, **tracked, "links": _Links(links)}
        subject = " ".join(self._subject.render(everything).split())
        html = None if self._html is None else self._html.render(everything)
        return RenderedEmail(self.language, subject, self._text.render(everything), html)

    def destination(self, index: int, values: Mapping[str, Any]) -> str | None:
        """Where link number `index` really leads for a customer; None when it leads nowhere safe."""
        if not 0 <= index < len(self._links):
            return None
        target = self._links[index].render(values).strip()
        return (
            target if target.startswith(("http://", "https://")) and not re.search(r"[\s\x00-\x1f]", target) else None
        )


class _Links:
    """`links.unsubscribe` and `links.web_view`, made only when a template asks."""

    def __init__(self, maker: LinkMaker) -> None:
        self._maker = maker

    @cached_property
    def unsubscribe(self) -> str:
        return self._maker.unsubscribe()

    @cached_property
    def web_view(self) -> str:
        return self._maker.web_view()


def _link_piece(source: str) -> Piece:
    try:
        return Piece(source, html=False)
    except Exception as error:
        raise TemplateRefused(f"The link {source[:80]} can't be read: {error}", "link_refused") from error


class CompiledVersion:
    """All languages of one version, each compiled at its first use."""

    def __init__(self, version: TemplateVersion) -> None:
        self.version = version
        self._emails: dict[str, CompiledEmail] = {}
        self._texts: dict[str, Piece] = {}

    def language_for(self, channel: str, wanted: str | None) -> str:
        """The language a customer who wants `wanted` gets."""
        return choose_language(self.version.content.languages(channel), wanted, self.version.languages[0])

    def email(self, language: str) -> CompiledEmail:
        """The e-mail in a language it is written in."""
        known = self._emails.get(language)
        if known is None:
            source = self.version.content.email.get(language)
            if source is None:
                raise Invalid(f"The template has no e-mail in {language}.", code="translation_missing")
            known = self._emails[language] = CompiledEmail(language, source)
        return known

    def sms(self, language: str) -> Piece:
        """The text message in a language it is written in."""
        known = self._texts.get(language)
        if known is None:
            source = self.version.content.sms.get(language)
            if source is None:
                raise Invalid(f"The template has no text message in {language}.", code="translation_missing")
            known = self._texts[language] = Piece(source.text, html=False)
        return known

    def values_for(self, reader: Reader, given: Mapping[str, Any], *, coupon: str | None = None) -> dict[str, Any]:
        """What a rendering may see: the declared variables as typed values, the customer, the coupon.

        Raises:
            Invalid: a variable is missing or of the wrong type.
        """
        values = typed_values(self.version.variables, given)
        for variable in self.version.variables:
            if variable.type is VariableType.LIST and values[variable.name] is not None:
                values[variable.name] = [SimpleNamespace(**item) for item in values[variable.name]]
        values["customer"] = reader
        values["coupon"] = coupon
        return values


_compiled: OrderedDict[str, CompiledVersion] = OrderedDict()


def compiled(version: TemplateVersion) -> CompiledVersion:
    """The compiled form of a version, found by the hash of its content."""
    known = _compiled.get(version.content_hash)
    if known is None:
        known = _compiled[version.content_hash] = CompiledVersion(version)
        if len(_compiled) > _CACHE_SIZE:
            _compiled.popitem(last=False)
    else:
        _compiled.move_to_end(version.content_hash)
    return known


def check_sources(version: TemplateVersion) -> list[FieldError]:
    """Every text of a version that the sandbox refuses, by its JSON pointer."""
    errors: list[FieldError] = []
    for pointer, source in sources_of(version).items():
        try:
            check(source, version.variables)
        except TemplateRefused as refused:
            errors.append(FieldError(pointer, refused.code, str(refused)))
    if not errors:
        for language, email in version.content.email.items():
            try:
                CompiledEmail(language, email)
            except (TemplateRefused, TemplateError) as refused:
                errors.append(FieldError(f"/content/email/{language}", "template_refused", str(refused)))
    return errors


def sources_of(version: TemplateVersion) -> dict[str, str]:
    """Every text of a version by its JSON pointer."""
    sources: dict[str, str] = {}
    for language, email in version.content.email.items():
        at = f"/content/email/{language}"
        sources |= {f"{at}/subject": email.subject, f"{at}/text": email.text}
        if email.html is not None:
            sources[f"{at}/html"] = email.html
    for language, sms in version.content.sms.items():
        sources[f"/content/sms/{language}/text"] = sms.text
    return sources
