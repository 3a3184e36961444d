"""Settings that are fine on one's own machine and dangerous where strangers come."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from crm_shared.settings import PLACEHOLDERS
from crm_suite.allinone.home import Home
from crm_suite.doctor.finding import Finding, error, fine, warning

_SECRETS = ("LINK_SECRET", "CURSOR_SECRET", "INTERNAL_PRIVATE_JWK", "INTERNAL_JWKS", "POSTGRES_PASSWORD")
_KEPT = ("keys.json", "access.json")
_SHORT = 16


def settings(environment: Mapping[str, str], home: Home) -> Iterator[Finding]:
    """What this environment, or the folder of the suite, would let happen."""
    found = [*_secrets(environment), *_open_doors(environment), *_readable(home)]
    yield from found or [fine("settings", "security", "nothing unsafe")]


def _secrets(environment: Mapping[str, str]) -> Iterator[Finding]:
    why = "Whoever has read the sources can forge what it signs, or log in."
    remedy = "Set it to a value of your own: openssl rand -hex 24 (keys: see deploy/docker/README.md)"
    for name in _SECRETS:
        value = environment.get(name)
        if value is not None and value in PLACEHOLDERS:
            yield error("secrets", name, "the value of the example", why=why, remedy=remedy)
        elif value and len(value) < _SHORT:
            yield warning("secrets", name, f"{len(value)} characters", why="It can be guessed.", remedy=remedy)
    for name, value in environment.items():
        if name.endswith("DATABASE_URL") and unquote(urlsplit(value).password or "") in PLACEHOLDERS:
            yield error("secrets", name, "the password of the example", why=why, remedy=remedy)
    if "INTERNAL_PRIVATE_JWK" in environment and environment.get("SERVICE", "crm_gateway") != "crm_gateway":
        seen, why = "a service has the gateway's private key", "It could make tokens for anybody."
        yield error("secrets", "INTERNAL_PRIVATE_JWK", seen, why=why, remedy="Give it to the gateway only.")


def _open_doors(environment: Mapping[str, str]) -> Iterator[Finding]:
    public = environment.get("PUBLIC_URL", "")
    if public.startswith("http://") and not _is_here(urlsplit(public).hostname or ""):
        why = "Links in mails lead people through a line that anybody on the way can read."
        yield warning("settings", "PUBLIC_URL", public, why=why, remedy="Have the edge speak TLS: PUBLIC_URL=https://…")
    relay = environment.get("SMTP_HOST", "")
    if relay and not _is_here(relay) and environment.get("SMTP_SECURITY", "none") == "none":
        why = "Mails, and the relay's password, cross the network readable."
        yield warning("settings", "SMTP_SECURITY", "none", why=why, remedy="SMTP_SECURITY=starttls or tls")
    if environment.get("SMTP_VERIFY_CERTIFICATE", "true").lower() in {"false", "0", "no", "off"}:
        why = "Anybody on the way can pose as the relay."
        yield warning("settings", "SMTP_VERIFY_CERTIFICATE", "off", why=why, remedy="Leave it out, or set it to true.")
    if environment.get("TRUSTED_PROXIES", "").strip() == "*":
        why = "Anybody can say whose request it is, and so has a fresh share of every limit."
        remedy = "Name the edge's network: TRUSTED_PROXIES=172.28.250.0/28"
        yield warning("settings", "TRUSTED_PROXIES", "*", why=why, remedy=remedy)
    host = environment.get("HOST", "")
    if host and not _is_here(host) and "SERVICE" not in environment and "DATABASE_URL" not in environment:
        why = "The all-in-one speaks no TLS: keys and passwords cross the network readable."
        yield warning("settings", "HOST", host, why=why, remedy="Leave HOST out, and put what ends TLS before it.")


def _readable(home: Home) -> Iterator[Finding]:
    for name in _KEPT:
        path = home.folder / name
        if path.exists() and path.stat().st_mode & 0o077:
            why = "It holds secrets of this installation, and others on this machine can read it."
            yield error("secrets", name, f"readable by others: {path}", why=why, remedy=f"chmod 600 {path}")


def _is_here(host: str) -> bool:
    """This machine, or a name that leads nowhere else."""
    if host in {"localhost", "host.docker.internal"}:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
