"""Mails that come back."""

import contextlib
import time
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_communication_dispatch.links import LinkKind, Links
from crm_communication_dispatch.responses.mail import MailKind, understand
from crm_shared.errors import Invalid

LINKS = Links(secret="s", public_url="https://crm.example", domain="crm.example")
T, M = UUID(int=1), UUID(int=2)
BOUNCES, REPLIES = LINKS.mailboxes(T, M)


def mail(text: str = "hello", **headers: str) -> bytes:
    made = EmailMessage(policy=SMTP)
    for name, value in ({"From": "Ann <ann@example.org>", "To": REPLIES, "Subject": "Re: x"} | headers).items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made.as_bytes()


def bounce(status: str, action: str = "failed", to: str = BOUNCES, original: str = "") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\r\nTo: {to}\r\nSubject: Undelivered\r\nReturn-Path: <>\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; gone@example.org\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n{original}\r\nbody\r\n--b--\r\n"
    ).encode()


def complaint(kind: str = "abuse", original: str = "") -> bytes:
    return (
        "From: fbl@isp.example\r\nTo: abuse@crm.example\r\nSubject: Complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nVersion: 1\r\n"
        "Original-Rcpt-To: <ann@example.org>\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n{original}\r\nbody\r\n--b--\r\n"
    ).encode()


def test_a_reply_is_threaded_by_its_signed_address_and_loses_its_quotes():
    got = understand(mail("Yes please!\n\nOn Mon, Jan 5, crm wrote:\n> buy now\n> or never\n"), LINKS)
    assert (got.kind, got.tenant, got.message_id) == (MailKind.REPLY, T, M)
    assert (got.text, got.sender) == ("Yes please!", "ann@example.org")


@pytest.mark.parametrize("header", ["In_Reply_To", "References"])
def test_a_reply_is_threaded_by_our_message_id_else(header):
    got = understand(mail(To="sales@crm.example", **{header: f"<other@x> {LINKS.message_ref(M)}"}), LINKS)
    assert (got.tenant, got.message_id) == (None, M)


def test_a_forged_address_names_nothing():
    forged = Links(secret="t", public_url="", domain="crm.example").mailbox(LinkKind.REPLY, T, M)
    assert understand(mail(To=forged), LINKS).message_id is None


@pytest.mark.parametrize(
    ("action", "kind"), [("failed", MailKind.BOUNCE), ("delayed", MailKind.DELAY), ("delivered", MailKind.DELIVERY)]
)
def test_a_delivery_report_is_read_by_its_fields(action, kind):
    got = understand(bounce("5.1.1", action), LINKS)
    assert (got.kind, got.message_id, got.status) == (kind, M, "5.1.1")
    assert got.text == "smtp; 550 5.1.1 no such user"


def test_a_report_sent_elsewhere_is_found_by_the_original_it_carries():
    got = understand(bounce("5.1.1", to="x@crm.example", original=f"Message-ID: {LINKS.message_ref(M)}\r\n"), LINKS)
    assert got.message_id == M


def test_a_bounce_in_plain_words_is_one():
    got = understand(mail("Delivery failed: 550 5.1.1 unknown", To=BOUNCES, From="Mailer-Daemon@mx.example"), LINKS)
    assert (got.kind, got.status) == (MailKind.BOUNCE, "5.1.1")


def test_a_complaint_is_found_by_the_original_it_carries():
    got = understand(complaint(original=f"Reply-To: {REPLIES}\r\n"), LINKS)
    assert (got.kind, got.tenant, got.message_id) == (MailKind.COMPLAINT, T, M)
    assert got.detail == {"feedback": "abuse", "recipient": "ann@example.org"}
    assert understand(complaint("not-spam"), LINKS).kind is not MailKind.COMPLAINT


@pytest.mark.parametrize(
    "header", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "auto_reply"}, {"X_Autoreply": "yes"}]
)
def test_an_automatic_answer_is_nobodys_reply(header):
    assert understand(mail("I am away", **header), LINKS).kind is MailKind.AUTO_REPLY


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_understood_or_refused(raw):
    for prefix in (
        b"",
        b"From: a@b\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n",
    ):
        try:
            got = understand(prefix + raw, LINKS)
        except Invalid:
            continue
        for value in (got.text, got.sender, got.subject):
            assert value is None or "\x00" not in value
            assert value is None or value.encode("utf-8") is not None


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_mail_damaged_on_its_way_breaks_nothing(data):
    raw = bytearray(data.draw(st.sampled_from([bounce("5.1.1"), complaint(), mail("x" * 50)])))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Invalid):
        understand(bytes(raw), LINKS)


@pytest.mark.parametrize(
    "mail",
    [
        b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n" + b"<" * 200_000,
        b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n" + b"<a" * 100_000,
        b"From: a@b.example\r\n\r\n" + (b"Am " + b" schrieb" * 40 + b"\n") * 600,
        b"From: a@b.example\r\n\r\n" + (b"On " + b" wrote" * 60 + b"\n") * 600,
    ],
    ids=["angles", "tags", "quoting", "citing"],
)
def test_a_long_hostile_mail_is_read_in_the_time_of_a_long_one(mail):
    def seconds(raw: bytes) -> float:
        began = time.perf_counter()
        with contextlib.suppress(Invalid):
            understand(raw, LINKS)
        return time.perf_counter() - began

    usual = min(seconds(b"From: a@b.example\r\n\r\n" + b"Some words of a person. " * 8_000) for _ in range(3))
    assert min(seconds(mail) for _ in range(3)) < 50 * usual + 0.2
