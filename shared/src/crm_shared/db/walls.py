"""The tenant wall: roles of a service's database, and the row-level security that keeps tenants apart.

Four roles a service. `owner` migrates and has policies of its own (`USING (true)`: without them a back-fill silently
changes no row, and a foreign key accepts violating ones). `app` serves requests and effects behind the tenant policy.
`worker` sees across tenants only where the kernel's machinery must, and becomes `app` for each effect. `finder` is
read-only and sees all rows; the kernel adds and verifies the tenant predicate of everything it runs as finder.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Table

from crm_shared.db.metadata import is_walled

# After the first transaction on a connection the setting is an empty text, not null; a bare cast would fail.
TENANT_OF_TRANSACTION = "nullif(current_setting('app.tenant_id', true), '')::uuid"


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of one service's four roles."""

    owner: str
    app: str
    worker: str
    finder: str

    @classmethod
    def of(cls, service: str) -> "Roles":
        """The roles of a service by its name, such as `sales-pipeline`."""
        stem = service.replace("-", "_")
        return cls(owner=f"{stem}_owner", app=f"{stem}_app", worker=f"{stem}_worker", finder=f"{stem}_finder")


def wall(table: Table, roles: Roles) -> Iterator[str]:
    """The statements that put one tenant table behind the wall."""
    name = f'"{table.name}"'
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
    yield f"CREATE POLICY owner_all ON {name} TO {roles.owner} USING (true) WITH CHECK (true)"
    yield (
        f"CREATE POLICY tenant_only ON {name} TO {roles.app} "
        f"USING (tenant_id = {TENANT_OF_TRANSACTION}) WITH CHECK (tenant_id = {TENANT_OF_TRANSACTION})"
    )
    yield f"CREATE POLICY finder_reads ON {name} FOR SELECT TO {roles.finder} USING (true)"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {roles.app}"
    yield f"GRANT SELECT ON {name} TO {roles.finder}"
    across: tuple[str, ...] = table.info.get("across", ())
    if across:
        yield f"GRANT {', '.join(across)} ON {name} TO {roles.worker}"
        yield f"CREATE POLICY worker_across ON {name} TO {roles.worker} USING (true) WITH CHECK (true)"


def open_grants(table: Table, roles: Roles) -> Iterator[str]:
    """The grants of a table that belongs to no tenant; `info["grants"]` maps `app` and `worker` to privileges."""
    grants: dict[str, str] = table.info.get("grants", {"app": "SELECT"})
    for role, privileges in grants.items():
        yield f'GRANT {privileges} ON "{table.name}" TO {getattr(roles, role)}'


def walls(tables: Iterable[Table], roles: Roles) -> Iterator[str]:
    """The statements for all `tables`, walled or not."""
    for table in tables:
        yield from wall(table, roles) if is_walled(table) else open_grants(table, roles)
