"""Fresh passwords, secrets and keys of one installation, in the words of Compose and in those of Kubernetes.

Each process gets what it needs and nothing else: only migrations know the administrator and the owner of a database,
only the gateway the key that signs.
"""

import secrets
from typing import Any

import orjson

from crm_shared.db.walls import Roles
from crm_shared.http.auth import TokenSigner
from crm_suite.topology import GATEWAY, NAMES, database_of

Values = dict[str, str]
_OWN = {"gateway": "WEBHOOK_KEYS", "communication-dispatch": "LINK_SECRET"}
"""A secret that api and workers of one service share, and no other service has."""


def compose_variables() -> Values:
    """The variables that docker-compose.yml can't do without."""
    roles = [Roles.of(name) for name in NAMES]
    logins = [login.upper() for each in roles for login in (each.app, each.worker, each.owner)]
    passwords = [f"{name}_PASSWORD" for name in ("POSTGRES", *logins, "GRAFANA_ADMIN")]
    signing, believing = _keys()
    return {name: _password() for name in (*passwords, "CURSOR_SECRET", *_OWN.values())} | signing | believing


def kubernetes_secrets(*, namespace: str, database_host: str, bus_url: str) -> dict[str, Any]:
    """A list of Secrets, named as the pods that read them.

    `database_host` names a service's server; `{service}` in it stands for the service.
    """
    signing, believing = _keys()
    manifests: list[dict[str, Any]] = []
    for service in NAMES:
        administrator = _password()
        urls = _urls(service, database_host.format(service=service), administrator)
        own = {_OWN[service]: _password()} if service in _OWN else {}
        api = believing | (signing if service == GATEWAY else {}) | {"CURSOR_SECRET": _password()}
        readers: dict[str, Values] = {
            "migrate": urls,
            "api": _only(urls, "DATABASE_URL") | api | own,
            "worker": _only(urls, "DATABASE_URL", "WORKER_DATABASE_URL") | {"BUS_URL": bus_url} | own,
            "postgres": {"POSTGRES_PASSWORD": administrator},
        }
        manifests += [_secret(f"{service}-{reader}", namespace, values) for reader, values in readers.items()]
    return {"apiVersion": "v1", "kind": "List", "items": manifests}


def _urls(service: str, host: str, administrator: str) -> Values:
    roles, database = Roles.of(service), database_of(service)
    logins = {"DATABASE_URL": roles.app, "WORKER_DATABASE_URL": roles.worker, "OWNER_DATABASE_URL": roles.owner}
    return {name: f"postgresql://{role}:{_password()}@{host}:5432/{database}" for name, role in logins.items()} | {
        "ADMIN_DATABASE_URL": f"postgresql://postgres:{administrator}@{host}:5432/postgres"
    }


def _only(values: Values, *names: str) -> Values:
    return {name: values[name] for name in names}


def _secret(name: str, namespace: str, values: Values) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "corkscrew"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": values}


def _password() -> str:
    return secrets.token_hex(24)  # hexadecimal: it stands in URLs


def _keys() -> tuple[Values, Values]:
    signer = TokenSigner.generate()
    return (
        {"INTERNAL_PRIVATE_JWK": orjson.dumps(signer.private_jwk()).decode()},
        {"INTERNAL_JWKS": orjson.dumps(signer.public_jwks()).decode()},
    )
