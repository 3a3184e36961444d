"""The sink's page and its JSON interface.

A caught mail is whatever a template made of whatever a customer is called, so its HTML is sanitised, shown in a
sandboxed frame and forbidden by policy to load or run anything. Nothing on the page comes from another host.
"""

import re
from email.message import EmailMessage
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import nh3
from jinja2 import Environment, FunctionLoader, select_autoescape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from crm_suite.mailsink.journal import CaughtMail
from crm_suite.mailsink.mailbox import Mailbox

PAGE_SIZE = 50
API_LIMIT = 1_000

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'"
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_LINK = re.compile(r"https?://[^\s<>\"')]+")


def _template(name: str) -> str:
    return (files(__package__ or "") / "templates" / name).read_text(encoding="utf-8")


_PAGES = Environment(loader=FunctionLoader(_template), autoescape=select_autoescape(["html"]))


def sink_app(mailbox: Mailbox) -> Starlette:
    pages = SinkPages(mailbox)
    return Starlette(
        routes=[
            Route("/", pages.listing),
            Route("/mails/{number:int}", pages.mail),
            Route("/mails/{number:int}/html", pages.html_part),
            Route("/api/mails", pages.api_listing),
            Route("/api/mails/{number:int}", pages.api_mail),
        ]
    )


class SinkPages:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def listing(self, request: Request) -> Response:
        to = request.query_params.get("to") or None
        before = _whole_number(request, "before", 0) or None
        mails = self._mailbox.newest_first(to=to, before=before, limit=PAGE_SIZE)
        older = None
        if len(mails) == PAGE_SIZE:
            older = "?" + urlencode({"before": mails[-1].number} | ({"to": to} if to else {}))
        rows = [summary(mail) for mail in mails]
        return _page("list.html", mails=rows, mailbox=self._mailbox, to=to or "", older=older)

    async def mail(self, request: Request) -> Response:
        mail = self._wanted(request)
        parsed = mail.parsed()
        return _page(
            "mail.html",
            mail=summary(mail),
            headers=[(name, str(value)) for name, value in parsed.items()],
            text=body_of(parsed, "plain"),
            has_html=body_of(parsed, "html") is not None,
        )

    async def html_part(self, request: Request) -> Response:
        html = body_of(self._wanted(request).parsed(), "html")
        if html is None:
            raise HTTPException(404, "This mail has no HTML part")
        clean = nh3.clean(
            html, tags=nh3.ALLOWED_TAGS, link_rel="noopener noreferrer", set_tag_attribute_values=_OPEN_APART
        )
        return HTMLResponse(
            clean, headers={"Content-Security-Policy": MAIL_POLICY, "X-Content-Type-Options": "nosniff"}
        )

    async def api_listing(self, request: Request) -> Response:
        """`to` filters, `after` continues where the last answer ended (`last`), oldest first."""
        mails = self._mailbox.oldest_first(
            to=request.query_params.get("to") or None,
            after=_whole_number(request, "after", 0),
            limit=min(_whole_number(request, "limit", PAGE_SIZE), API_LIMIT),
        )
        return JSONResponse(
            {
                "items": [summary(mail) | {"links": links(mail.parsed())} for mail in mails],
                "last": mails[-1].number if mails else _whole_number(request, "after", 0),
                "caught": self._mailbox.caught,
                "refused": self._mailbox.refused,
                "kept": len(self._mailbox),
            }
        )

    async def api_mail(self, request: Request) -> Response:
        mail = self._wanted(request)
        parsed = mail.parsed()
        return JSONResponse(
            summary(mail)
            | {
                "headers": [[name, str(value)] for name, value in parsed.items()],
                "text": body_of(parsed, "plain"),
                "html": body_of(parsed, "html"),
                "links": links(parsed),
            }
        )

    def _wanted(self, request: Request) -> CaughtMail:
        mail = self._mailbox.get(request.path_params["number"])
        if mail is None:
            raise HTTPException(404, "No such mail, or it was let go to make room")
        return mail


_OPEN_APART = {"a": {"target": "_blank"}}


def summary(mail: CaughtMail) -> dict[str, Any]:
    parsed = mail.parsed()
    return {
        "number": mail.number,
        "received_at": mail.received_at.isoformat(timespec="milliseconds"),
        "sender": mail.sender,
        "recipients": list(mail.recipients),
        "from": str(parsed.get("From", "")),
        "to": str(parsed.get("To", "")),
        "reply_to": str(parsed.get("Reply-To", "")),
        "subject": str(parsed.get("Subject", "(no subject)")),
        "message_id": str(parsed.get("Message-ID", "")),
        "bytes": len(mail.raw),
    }


def body_of(parsed: EmailMessage, kind: str) -> str | None:
    part = parsed.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, UnicodeDecodeError):  # a charset nobody knows: show what can be shown
        return bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")


def links(parsed: EmailMessage) -> list[str]:
    """Every web address in the mail, once, in the order met: the plain text first, for it needs no unescaping."""
    text = body_of(parsed, "plain") or body_of(parsed, "html") or ""
    return list(dict.fromkeys(_LINK.findall(text.replace("&amp;", "&"))))


def _whole_number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 16 else default


def _page(template: str, **values: object) -> Response:
    html = _PAGES.get_template(template).render(values)
    return HTMLResponse(html, headers={"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"})
