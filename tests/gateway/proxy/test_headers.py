import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_gateway.proxy.domain.headers import HOP_BY_HOP, HeaderFault, HeadTooLarge, read_head, returned

HOST = (b"host", b"crm.example")


def test_what_belongs_to_one_connection_does_not_go_on():
    head = read_head(
        [
            HOST,
            (b"connection", b"keep-alive, X-Secret-Hop"),
            (b"x-secret-hop", b"1"),
            (b"te", b"trailers"),
            (b"accept", b"*/*"),
            (b"keep-alive", b"timeout=5"),
            (b"proxy-authorization", b"x"),
            (b"upgrade", b"h2c"),
            (b"trailer", b"x"),
        ]
    )
    assert head.passed == [(b"accept", b"*/*")]


def test_identity_that_a_client_claims_does_not_go_on():
    claimed = [
        b"x-tenant-id",
        b"x-user-id",
        b"x-user",
        b"x-crm-scopes",
        b"x-internal-token",
        b"x-forwarded-for",
        b"forwarded",
    ]
    claimed += [b"x-real-ip", b"cookie", b"authorization", b"x-timeout-ms", b"x-forwarded-host"]
    head = read_head([HOST, *((name, b"forged") for name in claimed)])
    assert head.passed == []


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [HOST, HOST],
        [(b"host", b"")],
        [(b"host", b"a b")],
        [(b"host", b"evil.example/path")],
        [(b"host", b"user@evil.example")],
        [HOST, (b"authorization", b"a"), (b"authorization", b"b")],
        [HOST, (b"content-length", b"5"), (b"content-length", b"6")],
        [HOST, (b"content-length", b"+5")],
        [HOST, (b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [HOST, (b"transfer-encoding", b"gzip, chunked")],
        [HOST, (b"idempotency-key", b"a"), (b"idempotency-key", b"b")],
    ],
)
def test_a_head_that_two_servers_could_read_differently_is_refused(headers: list[tuple[bytes, bytes]]):
    with pytest.raises(HeaderFault):
        read_head(headers)


def test_too_many_or_too_long_headers_are_refused():
    with pytest.raises(HeadTooLarge):
        read_head([HOST, *((b"x-%d" % n, b"") for n in range(100))])
    with pytest.raises(HeadTooLarge):
        read_head([HOST, (b"x-long", b"a" * 32_768)])
    read_head([HOST, *((b"x-%d" % n, b"") for n in range(99))])


@pytest.mark.parametrize("value", [b"short", b"has space in it", b"a" * 65, b"new\nline-in-it", b"uml\xe4ut-in-it"])
def test_an_unfit_request_id_is_not_taken_over(value: bytes):
    assert read_head([HOST, (b"x-request-id", value)]).request_id is None


@pytest.mark.parametrize(
    "value", [b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", b"garbage", b"00-4bf92f3577b34da6a3ce929d0e0e4736-xyz-01"]
)
def test_an_unfit_traceparent_is_not_taken_over(value: bytes):
    assert read_head([HOST, (b"traceparent", value)]).traceparent is None


@pytest.mark.parametrize("host", [b"crm.example:8080", b"127.0.0.1:80", b"[::1]:8080", b"localhost"])
def test_usual_hosts_are_taken(host: bytes):
    assert read_head([(b"host", host)]).host == host


def test_an_answer_loses_what_was_about_our_connection():
    got = returned(
        [
            (b"Content-Type", b"text/plain"),
            (b"Connection", b"X-Hop, close"),
            (b"X-Hop", b"1"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Server", b"uvicorn"),
            (b"Date", b"now"),
            (b"Set-Cookie", b"a=1"),
            (b"Set-Cookie", b"b=2"),
            (b"X-Request-Id", b"x"),
        ]
    )
    assert got == [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


def test_a_trace_and_a_body_length_are_there_once():
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    head = read_head([HOST, (b"traceparent", trace), (b"content-length", b"2"), (b"content-type", b"a/b")])
    assert head.traceparent == trace
    assert head.passed == [(b"content-length", b"2"), (b"content-type", b"a/b")]


NAMES = [
    *(
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"authorization",
        b"x-request-id",
        b"traceparent",
    ),
    *(
        b"x-tenant-id",
        b"x-user",
        b"x-forwarded-for",
        b"te",
        b"idempotency-key",
        b"if-match",
        b"accept",
        b"x-",
        b"",
        b"x-crm-a",
    ),
]
VALUES = [
    *(
        b"crm.example",
        b"0",
        b"12",
        b"-1",
        b"1e3",
        b"9" * 40,
        b"chunked",
        b"gzip, chunked",
        b"keep-alive, host",
        b"\xff\x00",
        b"",
    ),
    *(b"host, x-request-id, te, ,", b"[::1]:80", b"a:99999999", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"),
]
headers = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(NAMES), st.binary(max_size=8)),
        st.one_of(st.sampled_from(VALUES), st.binary(max_size=12)),
    ),
    max_size=12,
)


@given(headers)
def test_any_head_is_refused_or_sorted_and_nothing_of_ours_goes_on(sent: list[tuple[bytes, bytes]]):
    try:
        head = read_head([HOST, *sent])
    except HeaderFault:
        return
    names = {name for name, _ in head.passed}
    assert not names & (HOP_BY_HOP | {b"authorization", b"x-request-id", b"host"})
    assert not any(name.startswith((b"x-tenant", b"x-user", b"x-crm-", b"x-forwarded-")) for name in names)
    assert set(head.passed) <= set(sent)
    assert head.content_length is None or 0 <= head.content_length < 10**15
