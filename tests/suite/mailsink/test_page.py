"""The sink's page: what a person sees, what a script reads, and what a hostile mail may not do."""

from collections.abc import AsyncIterator
from email.message import EmailMessage

import httpx
import pytest

from crm_suite.mailsink.mailbox import Mailbox
from crm_suite.mailsink.page import sink_app


def mail(html: str | None = None, subject: str = "Your order") -> bytes:
    message = EmailMessage()
    message["From"] = "Shop <shop@example.org>"
    message["To"] = "Ann <ann@example.org>"
    message["Subject"] = subject
    message.set_content("See http://127.0.0.1:8080/c/abc?x=1&y=2 and http://127.0.0.1:8080/u/def\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def browser(mailbox: Mailbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=sink_app(mailbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://sink") as client:
        yield client


async def test_says_when_there_is_nothing(browser: httpx.AsyncClient) -> None:
    assert "No mail yet" in (await browser.get("/")).text
    assert "No mail to “x”" in (await browser.get("/?to=x")).text


async def test_lists_and_shows_a_mail(browser: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.catch("shop@example.org", ("ann@example.org",), mail("<p>Hello</p>"))
    assert "Your order" in (await browser.get("/")).text
    shown = await browser.get("/mails/1")
    assert 'src="/mails/1/html"' in shown.text
    assert "See http://127.0.0.1:8080/c/abc?x=1&amp;y=2" in shown.text


async def test_a_hostile_mail_runs_and_loads_nothing(browser: httpx.AsyncClient, mailbox: Mailbox) -> None:
    hostile = (
        '<p onclick="x()">Hi<script>alert(1)</script><img src="https://evil.example/p.gif">'
        '<a href="javascript:x()">a</a></p>'
    )
    mailbox.catch("evil@example.org", ("ann@example.org",), mail(hostile, subject="<script>alert(2)</script>"))
    part = await browser.get("/mails/1/html")
    assert "script" not in part.text
    assert "onclick" not in part.text
    policy = part.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    for page in ("/", "/mails/1"):
        assert "<script>alert" not in (await browser.get(page)).text


async def test_a_reader_continues_where_it_stopped(browser: httpx.AsyncClient, mailbox: Mailbox) -> None:
    for name in ("ann", "bob", "cy"):
        mailbox.catch("shop@example.org", (f"{name}@example.org",), mail())
    first = (await browser.get("/api/mails", params={"limit": 2})).json()
    rest = (await browser.get("/api/mails", params={"after": first["last"]})).json()
    assert [item["recipients"] for item in first["items"] + rest["items"]] == [
        ["ann@example.org"],
        ["bob@example.org"],
        ["cy@example.org"],
    ]
    assert rest["caught"] == 3
    assert (await browser.get("/api/mails", params={"after": rest["last"]})).json()["last"] == 3


async def test_gives_the_links_as_a_person_would_click_them(browser: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.catch("shop@example.org", ("ann@example.org",), mail("<a href='http://127.0.0.1:8080/x'>x</a>"))
    found = (await browser.get("/api/mails", params={"to": "ann@example.org"})).json()["items"][0]["links"]
    assert found == ["http://127.0.0.1:8080/c/abc?x=1&y=2", "http://127.0.0.1:8080/u/def"]


async def test_one_mail_in_full(browser: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.catch("shop@example.org", ("ann@example.org",), mail("<b>Hi</b>"))
    whole = (await browser.get("/api/mails/1")).json()
    assert "<b>Hi</b>" in whole["html"]
    assert ["Subject", "Your order"] in whole["headers"]


async def test_a_mail_in_an_unknown_charset_is_still_shown(browser: httpx.AsyncClient, mailbox: Mailbox) -> None:
    raw = b"Subject: odd\r\nContent-Type: text/plain; charset=klingon\r\n\r\nnuqneH\r\n"
    mailbox.catch("a@example.org", ("b@example.org",), raw)
    assert (await browser.get("/api/mails/1")).json()["text"].strip() == "nuqneH"


@pytest.mark.parametrize("path", ["/mails/1", "/mails/1/html", "/api/mails/1"])
async def test_what_is_not_there_is_not_found(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 404
