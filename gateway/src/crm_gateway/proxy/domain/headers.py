"""Which headers come in, go on, and come back."""

import re
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers about one connection only (RFC 9110 §7.6.1); those named by `Connection` join them."""

_OURS = frozenset({b"host", b"authorization", b"cookie", b"expect", b"forwarded", b"x-real-ip", b"x-request-id"})
_OURS_PREFIXES = (b"x-tenant", b"x-user", b"x-crm-", b"x-forwarded-", b"x-internal-", b"x-timeout-")
"""What only the gateway may say to a service: who asks, from where, and until when."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_HOST = re.compile(rb"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")

_SAID_BY_US = frozenset({b"server", b"date", b"x-request-id"})

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 * 1024


class HeaderFault(Exception):
    """The request's head is unacceptable; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class HeadTooLarge(HeaderFault):
    """The request's head is longer than we take."""


class Inbound(NamedTuple):
    """What the gateway itself needs of a request's head, and `passed`: the headers that may go on."""

    host: bytes
    authorization: bytes | None
    content_length: int | None
    has_body: bool
    keyed: bool
    request_id: bytes | None
    traceparent: bytes | None
    passed: Headers


_SINGLE, _KEPT = 1, 2
_ONCE = frozenset(
    {
        b"host",
        b"authorization",
        b"content-length",
        b"transfer-encoding",
        b"idempotency-key",
        b"x-request-id",
        b"traceparent",
        b"connection",
        b"content-type",
    }
)
_STAYING = HOP_BY_HOP | _OURS | {b"traceparent"}  # the trace is sent on by itself, the client's or a new one
_TREATMENTS = {name: _SINGLE * (name in _ONCE) | _KEPT * (name in _STAYING) for name in _ONCE | _STAYING}
"""One look-up a header: whether it may come only once, and whether it stays here."""


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Inbound:
    """Checks a request's headers (names in lower case) and sorts them.

    Raises:
        HeaderFault: absent, repeated or malformed where that would let two servers read two requests.
        HeadTooLarge: over 100 headers or 32 KiB.
    """
    found: dict[bytes, bytes] = {}
    passed: Headers = []
    size = count = 0
    for header in headers:
        name, value = header
        count += 1
        size += len(name) + len(value) + 4
        treatment = _TREATMENTS.get(name)
        if treatment is None:
            if name[:2] != b"x-" or not name.startswith(_OURS_PREFIXES):
                passed.append(header)
            continue
        if treatment & _SINGLE:
            if name in found and name != b"connection":
                raise HeaderFault("header_repeated", f"The header {name.decode('latin-1')} may be sent only once.")
            found[name] = value if name not in found else found[name] + b"," + value
        if not treatment & _KEPT:
            passed.append(header)
    if count > MOST_HEADERS or size > MOST_HEADER_BYTES:
        raise HeadTooLarge("headers_too_large", "At most 100 headers and 32 KiB of them are taken.")
    connection = found.get(b"connection")
    if connection is not None:
        passed = without_named(passed, connection)
    return _inbound(found, passed)


def _inbound(found: dict[bytes, bytes], passed: Headers) -> Inbound:
    host = found.get(b"host")
    if host is None or not _HOST.fullmatch(host):
        raise HeaderFault("host_required", "Exactly one well-formed Host header is required.")
    length = found.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= 15):
        raise HeaderFault("content_length_malformed", "Content-Length must be a plain number.")
    encoding = found.get(b"transfer-encoding")
    if encoding is not None and (length is not None or encoding.strip().lower() != b"chunked"):
        raise HeaderFault("transfer_encoding_refused", "Send either Content-Length or Transfer-Encoding: chunked.")
    request_id, traceparent = found.get(b"x-request-id"), found.get(b"traceparent")
    return Inbound(
        host=host,
        authorization=found.get(b"authorization"),
        content_length=int(length) if length is not None else None,
        has_body=encoding is not None or (length is not None and int(length) > 0),
        keyed=b"idempotency-key" in found,
        request_id=request_id if request_id is not None and _REQUEST_ID.fullmatch(request_id) else None,
        traceparent=traceparent if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) else None,
        passed=passed,
    )


def without_named(headers: Headers, connection: bytes) -> Headers:
    """`headers` without those that the value of a `Connection` header names."""
    named = {name.strip().lower() for name in connection.split(b",")}
    named -= {b"keep-alive", b"close", b""}
    return [header for header in headers if header[0] not in named] if named else headers


def returned(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """An upstream's response headers as a client may see them: names in lower case, nothing about our connection."""
    kept: Headers = []
    connection = b""
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in HOP_BY_HOP:
            if name == b"connection":
                connection += b"," + value
        elif name not in _SAID_BY_US:
            kept.append((name, value))
    return without_named(kept, connection) if connection else kept
