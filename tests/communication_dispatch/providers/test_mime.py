"""A filled skeleton is the message that the standard library would have built."""

import string
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_communication_dispatch.providers.mime import (
    BadAddress,
    Frame,
    Letter,
    Skeleton,
    UnsafeHeader,
    address_value,
    dot_stuffed,
    header_value,
    require_address,
)

FRAME = Frame("Häuser & Co", "news@example.org", "en", with_html=True, with_unsubscribe=True, with_reply_to=True)
SKELETON = Skeleton(FRAME)
LETTER = Letter(
    to_name="Ann Lee",
    to_address="ann@example.org",
    subject="Hello",
    text="Hi\n",
    html="<p>Hi</p>",
    message_ref="<m.1@example.org>",
    date="Sat, 21 Nov 2026 20:00:00 +0000",
    unsubscribe_url="https://example.org/u/abc",
    reply_to="r+abc@example.org",
)

# What people write, from plain to nasty, without control characters (those are refused, see below).
words = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn")), max_size=60)
subjects = words.map(lambda s: " ".join(s.split()))
names = words.map(lambda s: " ".join(s.split()))
bodies = st.text(st.one_of(st.characters(blacklist_categories=("Cs",)), st.sampled_from("\r\n. =-\t")), max_size=400)


def built(letter: Letter) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = letter.subject
    message["To"] = Address(letter.to_name or "", addr_spec=letter.to_address)
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return message_from_bytes(message.as_bytes(), policy=default)


@settings(max_examples=150, deadline=None)
@given(subjects, names, bodies, bodies)
def test_filled_skeleton_reads_like_a_built_message(subject, name, text, html):
    letter = Letter(
        **{
            **{s: getattr(LETTER, s) for s in Letter.__slots__},
            "subject": subject,
            "to_name": name,
            "text": text,
            "html": html,
        }
    )
    raw = SKELETON.fill(letter)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()
    got, wanted = message_from_bytes(raw, policy=default), built(letter)
    assert not got.defects
    assert got["Subject"] == wanted["Subject"]
    assert got["To"].addresses == wanted["To"].addresses
    parts = list(zip(got.iter_parts(), wanted.iter_parts(), strict=True))
    assert [a.get_content_type() for a, _ in parts] == ["text/plain", "text/html"]
    for a, b in parts:
        assert a.get_payload(decode=True) == b.get_payload(decode=True)


def test_headers_of_bulk_mail_are_complete():
    got = message_from_bytes(SKELETON.fill(LETTER), policy=default)
    assert got["From"].addresses[0].display_name == "Häuser & Co"
    assert got["List-Unsubscribe"] == "<https://example.org/u/abc>"
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got["Message-ID"] == "<m.1@example.org>"
    assert got["Reply-To"] == "r+abc@example.org"
    assert got["Date"].datetime.year == 2026
    assert got["Content-Language"] == "en"
    assert got["MIME-Version"] == "1.0"


def test_plain_frame_has_one_part_and_no_list_headers():
    frame = Frame(None, "a@example.org", "de", with_html=False, with_unsubscribe=False, with_reply_to=False)
    letter = Letter(None, "b@example.org", "S", "Grüße\n", None, "<x@y>", LETTER.date)
    got = message_from_bytes(Skeleton(frame).fill(letter), policy=default)
    assert got.get_content_type() == "text/plain"
    assert got.get_content().split() == ["Grüße"]
    assert got["List-Unsubscribe"] is None


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@y", "a\nb", "a\x00b", "a\x85b", "a\u2028b"])
def test_a_value_that_would_start_a_header_is_refused(bad):
    with pytest.raises(UnsafeHeader):
        header_value("Subject", bad)
    with pytest.raises(UnsafeHeader):
        address_value("To", bad, "a@example.org")


@pytest.mark.parametrize(
    "bad",
    ["a@b\r\nRCPT TO:<x@y>", "a b@example.org", "a@", "@b", "<a@b>", "a@b>", 'a"b@c', "a@b@c", "x" * 65 + "@b", "ü@b"],
)
def test_an_address_that_would_break_the_envelope_is_refused(bad):
    with pytest.raises(BadAddress):
        require_address(bad)


def test_a_domain_of_any_script_travels_in_ascii():
    assert require_address("info@münchen.example") == "info@xn--mnchen-3ya.example"


@given(st.text(string.printable, max_size=200))
def test_dots_at_line_starts_survive_the_wire(text):
    data = text.replace("\r", "").replace("\n", "\r\n").encode() + b"\r\n"
    wire = dot_stuffed(b"H: x\r\n\r\n" + data)
    assert wire.endswith(b"\r\n.\r\n")
    assert wire[:-3].replace(b"\r\n..", b"\r\n.") == b"H: x\r\n\r\n" + data
    assert b"\r\n.\r\n" not in wire[:-3]
