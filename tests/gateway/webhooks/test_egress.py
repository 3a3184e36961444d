"""The way out: only to public addresses, whatever names say, and never for long."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.gateway.webhooks.receiver import Got, Receiver, receiving, status

from crm_gateway.webhooks.domain.addresses import AddressRule
from crm_gateway.webhooks.domain.deliveries import Answered
from crm_gateway.webhooks.egress import SNIPPET_BYTES, Egress, SystemNames

HERE = AddressRule.of(["127.0.0.1/32"])
PUBLIC = AddressRule()


class Names:
    """A resolver whose answers a test decides: one list after another, then the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def post(
    url: str,
    *,
    rule: AddressRule = PUBLIC,
    names: Names | None = None,
    timeout_s: float = 5,
    ca_file: Path | None = None,
) -> Answered:
    async with Egress(rule, timeout_s=timeout_s, connect_timeout_s=timeout_s, ca_file=ca_file, resolve=names) as egress:
        return await egress.post(url, b'{"a":1}', {"webhook-id": "1"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


class TestAddresses:
    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0"]
    )
    async def test_a_name_that_leads_inside_is_never_connected_to(self, receiver: Receiver, address: str) -> None:
        answered = await post(f"http://inside.example:{receiver.port}/", names=Names([address]))
        assert (answered.status, receiver.got) == (None, [])
        assert "public" in (answered.error or "")

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "localhost"])
    async def test_nor_is_an_address_in_the_url_itself(self, receiver: Receiver, host: str) -> None:
        answered = await post(f"http://{host}:{receiver.port}/")
        assert (answered.status, receiver.got) == (None, [])
        assert answered.error

    async def test_a_name_that_changes_its_mind_is_checked_again_for_every_attempt(self, receiver: Receiver) -> None:
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        url = f"http://rebinding.example:{receiver.port}/"
        async with Egress(HERE, timeout_s=5, connect_timeout_s=5, resolve=names) as egress:
            first = await egress.post(url, b"{}", {})
            second = await egress.post(url, b"{}", {})
        assert (first.status, second.status) == (200, None)
        assert names.asked == ["rebinding.example"] * 2, "no connection and no address was kept from the first"

    async def test_of_several_addresses_only_admitted_ones_are_tried(self, receiver: Receiver) -> None:
        names = Names(["10.0.0.1", "127.0.0.1", "::1"])
        answered = await post(f"http://mixed.example:{receiver.port}/", rule=HERE, names=names)
        assert answered.status == 200

    async def test_the_socket_itself_refuses_what_the_names_let_through(self, receiver: Receiver) -> None:
        """Should a resolver's check ever be got around, the connection is not made all the same."""
        async with Egress(PUBLIC, timeout_s=5, connect_timeout_s=5, resolve=Names(["127.0.0.1"])) as egress:
            connector = egress._session.connector
            connector._resolver._rule = HERE
            answered = await egress.post(f"http://inside.example:{receiver.port}/", b"{}", {})
        assert (answered.status, receiver.got) == (None, [])

    async def test_a_name_without_an_address_is_an_error_to_be_told(self) -> None:
        assert (await post("http://nowhere.example/", names=Names([]))).error

    async def test_a_proxy_of_the_environment_is_not_used(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{receiver.port}")
        answered = await post("http://inside.example/", names=Names(["10.0.0.1"]))
        assert (answered.status, receiver.got) == (None, [])


class TestAnswers:
    async def test_redirects_are_not_followed(self, receiver: Receiver) -> None:
        async with receiving() as elsewhere:
            receiver.answers = [status(307, location=elsewhere.url)]
            answered = await post(receiver.url, rule=HERE)
        assert (answered.status, answered.succeeded, elsewhere.got) == (307, False, [])

    async def test_only_the_beginning_of_an_endless_answer_is_read(self, receiver: Receiver) -> None:
        async def endless(got: Got, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"400\r\n" + b"x" * 1_024 + b"\r\n")
                await writer.drain()

        receiver.behaviour = endless
        answered = await post(receiver.url, rule=HERE)
        assert (answered.status, len(answered.told)) == (200, SNIPPET_BYTES)

    async def test_what_was_answered_can_be_stored_whatever_it_was(self, receiver: Receiver) -> None:
        receiver.answers = [status(500, b"a\x00b\xff\xfe\xed\xa0\x80" + b"\xff" * 2_000)]
        answered = await post(receiver.url, rule=HERE)
        assert "\x00" not in answered.told
        assert len(answered.told.encode()) <= SNIPPET_BYTES

    async def test_a_compressed_answer_is_not_unpacked(self, receiver: Receiver) -> None:
        receiver.answers = [status(200, b"\x1f\x8b not really", content_encoding="gzip")]
        assert (await post(receiver.url, rule=HERE)).status == 200

    async def test_who_never_answers_is_not_waited_for(self, receiver: Receiver) -> None:
        async def silent(got: Got, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        receiver.behaviour = silent
        answered = await post(receiver.url, rule=HERE, timeout_s=0.2)
        assert (answered.status, answered.error) == (None, "the answer took too long")

    async def test_a_status_counts_even_if_the_body_never_comes(self, receiver: Receiver) -> None:
        async def half(got: Got, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok")
            await writer.drain()
            await asyncio.sleep(60)

        receiver.behaviour = half
        answered = await post(receiver.url, rule=HERE, timeout_s=0.5)
        assert (answered.status, answered.told, answered.error) == (200, "ok", None)

    @pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nbroken", b"\x00" * 100])
    async def test_rubbish_is_a_failure_and_nothing_worse(self, receiver: Receiver, raw: bytes) -> None:
        receiver.answers = [raw]
        answered = await post(receiver.url, rule=HERE)
        assert answered.status is None
        assert answered.error

    async def test_no_cookie_is_kept_and_nothing_else_told(self, receiver: Receiver) -> None:
        receiver.answers = [status(200, set_cookie="a=b")]
        async with Egress(HERE, timeout_s=5, connect_timeout_s=5) as egress:
            for _ in range(2):
                await egress.post(receiver.url, b"{}", {"webhook-id": "1"})
        assert set(receiver.got[1].headers) <= {
            "host", "accept", "accept-encoding", "content-length", "content-type", "connection", "user-agent",
            "webhook-id",
        }  # fmt: skip


class TestCertificates:
    async def test_the_certificate_must_be_of_the_name_in_the_url(self, tmp_path: Path) -> None:
        authority, tls = certificates(tmp_path, "hooks.example")
        names = Names(["127.0.0.1"])
        async with receiving(tls=tls) as receiver:
            right = await post(f"https://hooks.example:{receiver.port}/", rule=HERE, names=names, ca_file=authority)
            wrong = await post(f"https://other.example:{receiver.port}/", rule=HERE, names=names, ca_file=authority)
            stranger = await post(f"https://hooks.example:{receiver.port}/", rule=HERE, names=names)
        assert right.status == 200
        assert (wrong.status, stranger.status, len(receiver.got)) == (None, None, 1)
        assert "certificate" in (wrong.error or "").lower()


class TestSystemNames:
    async def test_a_name_is_looked_up_once_for_all_who_ask_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def look_up(host: str, *_: object, **__: object) -> list[object]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))] * 2

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        names = SystemNames()
        assert await asyncio.gather(*(names("a.example") for _ in range(9))) == [["127.0.0.1"]] * 9
        assert asked == ["a.example"]
        await names("a.example")
        assert len(asked) == 2, "nothing is remembered"


def certificates(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """An authority of our own, and what a server of this name shows."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])

    def sign(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> x509.Certificate:
        made = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        for extension in extensions:
            made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return made.sign(keys[0], hashes.SHA256())

    known_by = x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key())
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
    authority = sign(issuer, keys[0], x509.BasicConstraints(ca=True, path_length=None), known_by)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("192.0.2.1"))])
    server = sign(x509.Name([]), keys[1], names, signed_by)
    paths = [folder / "ca.pem", folder / "server.pem"]
    paths[0].write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths[1].write_bytes(server.public_bytes(serialization.Encoding.PEM) + private)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(paths[1])
    return paths[0], tls
