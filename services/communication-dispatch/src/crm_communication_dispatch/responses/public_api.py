"""Where customers' mail programs and browsers arrive: without a key, by signed addresses only."""

from html import escape
from typing import Annotated

from fastapi import Path
from starlette.responses import HTMLResponse, RedirectResponse, Response

from crm_communication_dispatch.links import LinkKind, Token, links_of
from crm_communication_dispatch.responses import commands, pages
from crm_communication_dispatch.responses.commands import Visitor
from crm_communication_dispatch.settings import mail_settings
from crm_shared.db.unit_of_work import transact
from crm_shared.errors import NotFound
from crm_shared.http import Call, Router, public
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/responses/public",
    tag="public-responses",
    about="Links in messages, for customers: click, read in the browser, unsubscribe.",
)
Anybody = Annotated[Call, public("a customer's mail program has no key; the address is signed and names its tenant")]
Text = Annotated[str, Path(max_length=200, description="What the link in the message ends with.")]
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_HEADERS = _HEADERS | {
    "Content-Security-Policy": "default-src 'none'; img-src https: http:; style-src 'unsafe-inline'; form-action 'self'"
}


def _token(text: str, kind: LinkKind) -> Token:
    token = links_of(mail_settings()).read_url_token(text, kind)
    if token is None:
        raise NotFound("This address was not made by us.", code="link_unknown")
    return token


@router.get("/click/{token}", response_class=RedirectResponse, status_code=302)
async def click(token: Text, call: Anybody) -> Response:
    """Follow a link of a message; the click is judged later, and never changes what a customer agreed to."""
    named = _token(token, LinkKind.CLICK)
    visitor = Visitor(call.request.method, call.request.headers.get("user-agent"))
    viewer = Viewer.system(named.tenant)
    url = await transact(
        call.services.database, commands.record_click, viewer, named.message_id, named.index, visitor, now=call.now
    )
    return RedirectResponse(url, 302, headers=_HEADERS)


@router.get("/unsubscribe/{token}", response_class=HTMLResponse)
async def ask_to_unsubscribe(token: Text, call: Anybody) -> Response:
    """Show a page with a button; scanners follow links, so looking must change nothing."""
    _token(token, LinkKind.UNSUBSCRIBE)
    return HTMLResponse(pages.ask(), headers=_PAGE_HEADERS)


@router.post("/unsubscribe/{token}", response_class=HTMLResponse)
async def unsubscribe(token: Text, call: Anybody) -> Response:
    """Unsubscribe by one POST (RFC 8058), from a mail program or the page's button."""
    named = _token(token, LinkKind.UNSUBSCRIBE)
    viewer = Viewer.system(named.tenant)
    await transact(call.services.database, commands.unsubscribe, viewer, named.message_id, now=call.now)
    return HTMLResponse(pages.done(), headers=_PAGE_HEADERS)


@router.get("/view/{token}", response_class=HTMLResponse)
async def view(token: Text, call: Anybody) -> Response:
    """Read a message in the browser."""
    named = _token(token, LinkKind.VIEW)
    async with call.services.database.reading(named.tenant) as tx:
        shown = await commands.web_view(tx, named.message_id)
    html = shown.html if shown.html is not None else f"<pre>{escape(shown.text)}</pre>"
    return HTMLResponse(html, headers=_PAGE_HEADERS)
