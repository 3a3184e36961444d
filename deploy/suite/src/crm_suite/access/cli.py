"""`crm keys …` and `crm tenants …`: what their options are; the work is beside it, imported when a command runs."""

from typing import Annotated

import typer

from crm_suite.options import ApiKey, Json, Url, Yes

keys = typer.Typer(help="API keys: for machines, with roles and an end.", no_args_is_help=True)
tenants = typer.Typer(help="Companies of this installation (needs an operator's key).", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Its id, key_…, as `crm keys list` shows it.")]
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="Its short name, or its id, ten_….")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="What it may do; may be repeated. `integration` when left out.", show_default=False),
]
Expires = Annotated[str, typer.Option("--expires", help="When it ends: 90d, 12h, or a date. Never when left out.")]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    role: Roles = None,
    expires: Expires = "",
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Make a key in the tenant of the key you use. Its secret is shown this once."""
    from crm_suite.access.keys import Keys  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Keys(gateway).create(name, role or [], expires, as_json=as_json)


@keys.command("list")
def list_keys(*, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Show the tenant's keys, without their secrets."""
    from crm_suite.access.keys import Keys  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Keys(gateway).show_list(as_json=as_json)


@keys.command()
def rotate(
    key_id: KeyId,
    *,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=168, help="How long the old secret goes on holding.")
    ] = 24,
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Give a key a new secret, shown this once; the old one holds a while longer."""
    from crm_suite.access.keys import Keys  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Keys(gateway).rotate(key_id, overlap_hours, as_json=as_json)


@keys.command()
def revoke(key_id: KeyId, *, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Take a key back; within seconds it opens nothing any more."""
    from crm_suite.access.keys import Keys  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Keys(gateway).revoke(key_id, as_json=as_json)


@keys.command()
def bootstrap(
    *,
    tenant: Annotated[
        str, typer.Option("--tenant", help="Short name of the key's tenant; opened if it isn't there.")
    ] = "operations",
    name: Annotated[str, typer.Option("--name", help="What the key is called.")] = "operator",
    expires: Expires = "",
    as_json: Json = False,
) -> None:
    """Make an operator's key in the gateway's database itself: the first one, or when all are lost. It is audited.

    The database is GATEWAY_DATABASE_URL, DATABASE_URL, or that of the suite which runs on this folder.
    """
    from crm_suite.access.first_key import bootstrap as run  # noqa: PLC0415

    run(tenant, name, expires, as_json=as_json)


@tenants.command("create")
def create_tenant(
    slug: Annotated[str, typer.Argument(help="Short name that its people type when they log in.")],
    *,
    name: Annotated[str, typer.Option("--name", help="Full name; the short one when left out.")] = "",
    admin: Annotated[str, typer.Option("--admin", help="E-mail address of its first administrator.")] = "",
    url: Url = "",
    key: ApiKey = "",
    as_json: Json = False,
) -> None:
    """Let a company move in. Its administrator's password and key are shown this once."""
    from crm_suite.access.tenants import Tenants  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Tenants(gateway).create(slug, name, admin, as_json=as_json)


@tenants.command("list")
def list_tenants(*, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Show all companies of this installation."""
    from crm_suite.access.tenants import Tenants  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Tenants(gateway).show_list(as_json=as_json)


@tenants.command("show")
def show_tenant(tenant: Tenant, *, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Show one company."""
    from crm_suite.access.tenants import Tenants  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Tenants(gateway).show(tenant, as_json=as_json)


@tenants.command()
def suspend(tenant: Tenant, *, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Keep a company's people and keys out; its data stays."""
    from crm_suite.access.tenants import Tenants  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Tenants(gateway).change(tenant, "suspend", as_json=as_json)


@tenants.command()
def resume(tenant: Tenant, *, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """Let a suspended company's people and keys in again."""
    from crm_suite.access.tenants import Tenants  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Tenants(gateway).change(tenant, "resume", as_json=as_json)


@tenants.command()
def close(tenant: Tenant, *, yes: Yes = False, url: Url = "", key: ApiKey = "", as_json: Json = False) -> None:
    """End a company's stay for good. Says what that means, and asks before."""
    from crm_suite.access.tenants import Tenants  # noqa: PLC0415
    from crm_suite.gateway_client import connected  # noqa: PLC0415

    with connected(url, key) as gateway:
        Tenants(gateway).close(tenant, yes=yes, as_json=as_json)
