"""Templates as clients send and get them."""

from typing import Annotated, Any

from pydantic import Field

from crm_communication_dispatch.fields import CustomerId, TemplateId
from crm_communication_dispatch.providers.domain import Channel
from crm_communication_dispatch.templates.commands import Preview, PreviewOrder, Wording
from crm_communication_dispatch.templates.domain import (
    Content,
    EmailText,
    SmsText,
    Template,
    TemplateVersion,
    Variable,
    VariableType,
    VersionStatus,
)
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http import Page, PageQuery

Name = Annotated[str, Field(min_length=1, max_length=200)]
Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["marketing", "transactional"])]
Source = Annotated[str, Field(max_length=262_144)]
Language = Annotated[str, Field(max_length=35, examples=["en", "pt-BR"])]


class FieldDeclaration(Strict):
    """One field of a list's items."""

    name: Annotated[str, Field(max_length=64)]
    type: VariableType
    required: bool = True


class VariableDeclaration(FieldDeclaration):
    """One typed variable that a send must bring."""

    fields: list[FieldDeclaration] = Field(default_factory=list[FieldDeclaration], max_length=50)

    def to_domain(self) -> Variable:
        """As the rules read it."""
        inner = tuple(Variable(field.name, field.type, field.required) for field in self.fields)
        return Variable(self.name, self.type, self.required, inner)


class EmailVariant(Strict):
    """An e-mail in one language; `html` may be left out."""

    subject: Annotated[str, Field(min_length=1, max_length=998)] = Field(
        examples=["Our offer for you, {{ customer.given_name }}"]
    )
    text: Annotated[Source, Field(min_length=1)] = Field(examples=["Dear {{ customer.display_name }},\n…\n"])
    html: Source | None = None


class SmsVariant(Strict):
    """A text message in one language."""

    text: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["Our offer: {{ offer_price }}"])


class TemplateContent(Strict):
    """What a version says, by channel and language."""

    email: dict[Language, EmailVariant] = Field(default_factory=dict[str, EmailVariant])
    sms: dict[Language, SmsVariant] = Field(default_factory=dict[str, SmsVariant])


class WordingWrite(Strict):
    """A wording: the first of `languages` is the last resort for customers who speak none of them."""

    languages: Annotated[list[Language], Field(min_length=1, max_length=50)] = Field(examples=[["en"]])
    variables: list[VariableDeclaration] = Field(default_factory=list[VariableDeclaration], max_length=100)
    content: TemplateContent = Field(
        examples=[
            {
                "email": {
                    "en": {
                        "subject": "An offer for you, {{ customer.given_name }}",
                        "text": "Dear {{ customer.display_name }},\n…\n",
                    }
                }
            }
        ]
    )

    def wording(self) -> Wording:
        """As the command takes it."""
        email = {language: EmailText(e.subject, e.text, e.html) for language, e in self.content.email.items()}
        sms = {language: SmsText(s.text) for language, s in self.content.sms.items()}
        return Wording(self.languages, [variable.to_domain() for variable in self.variables], Content(email, sms))


class TemplateCreate(WordingWrite):
    """A new template with its first draft."""

    name: Name = Field(examples=["Spring letter"])
    purpose: Purpose


class TemplateUpdate(Strict):
    """What of a template changes; wordings have versions of their own."""

    name: Name | None = Field(default=None, examples=["Spring letter 2026"])
    purpose: Purpose | None = None


class TemplateRead(Read):
    """A template; `approved_number` is the version that is sent."""

    id: TemplateId
    name: str = Field(examples=["Spring letter"])
    purpose: str = Field(examples=["marketing"])
    approved_number: int | None
    latest_number: int
    version: int
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, found: Template) -> "TemplateRead":
        """The client's view."""
        return cls(**{name: getattr(found, name) for name in Template.__dataclass_fields__})


class TemplatePage(Page):
    """Some templates."""

    items: list[TemplateRead]


class TemplateFilter(PageQuery):
    """Which templates."""

    purpose: str | None = None
    approved: bool | None = None


class VersionRead(Read):
    """One wording."""

    template_id: TemplateId
    number: int
    status: Annotated[str, extensible(VersionStatus)]
    languages: list[str] = Field(examples=[["en"]])
    variables: list[dict[str, Any]] = Field(examples=[[]])
    content: dict[str, dict[str, dict[str, str | None]]] = Field(
        examples=[
            {
                "email": {
                    "en": {
                        "subject": "Our offer for you, {{ customer.given_name }}",
                        "text": "Dear {{ customer.display_name }},\n…\n",
                    }
                }
            }
        ]
    )
    content_hash: str = Field(examples=["9f2c1e7a5b40"])
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    created_at: Instant
    approved_by: str | None = Field(examples=[None])
    approved_at: Instant | None
    version: int

    @classmethod
    def of(cls, found: TemplateVersion) -> "VersionRead":
        """The client's view."""
        email = {key: {"subject": e.subject, "text": e.text, "html": e.html} for key, e in found.content.email.items()}
        sms: dict[str, dict[str, str | None]] = {key: {"text": s.text} for key, s in found.content.sms.items()}
        return cls(
            template_id=found.template_id,
            number=found.number,
            status=found.status.value,
            languages=list(found.languages),
            variables=[_variable(variable) for variable in found.variables],
            content={"email": email, "sms": sms},
            content_hash=found.content_hash,
            created_by=found.created_by,
            created_at=found.created_at,
            approved_by=found.approved_by,
            approved_at=found.approved_at,
            version=found.version,
        )


def _variable(of: Variable) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": of.name, "type": of.type.value, "required": of.required}
    return shown | ({"fields": [_variable(field) for field in of.fields]} if of.fields else {})


class VersionList(Read):
    """All wordings of a template."""

    items: list[VersionRead]

    @classmethod
    def of(cls, found: list[TemplateVersion]) -> "VersionList":
        """The client's view."""
        return cls(items=[VersionRead.of(version) for version in found])


class PreviewAsk(Strict):
    """Whom to show it as; without a customer a made-up one reads it."""

    channel: Channel = Channel.EMAIL
    customer_id: CustomerId | None = None
    language: Language | None = Field(default=None, examples=["en"])
    variables: dict[str, Any] = Field(default_factory=dict[str, Any])

    def order(self) -> PreviewOrder:
        """As the query takes it."""
        return PreviewOrder(self.channel.value, self.customer_id, self.language, self.variables)


class TemplatePreviewRead(Read):
    """What that customer would read."""

    channel: Annotated[str, extensible(Channel)]
    language: str = Field(examples=["en"])
    subject: str | None = Field(examples=["Our offer for you, Ada"])
    text: str = Field(examples=["Dear Ada Lovelace,\n…\n"])
    html: str | None = Field(examples=[None])

    @classmethod
    def of(cls, found: Preview) -> "TemplatePreviewRead":
        """The client's view."""
        mail = found.email
        if mail is not None:
            return cls(channel="email", language=mail.language, subject=mail.subject, text=mail.text, html=mail.html)
        return cls(channel=found.channel, language=found.language, subject=None, text=found.text or "", html=None)
