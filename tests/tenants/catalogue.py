"""What a database's own catalogue says of tables, keys, rights and roles."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg

_TABLES = """
    SELECT c.relname AS name, c.relkind::text AS kind, c.relrowsecurity AND c.relforcerowsecurity AS forced,
           a.attnum AS tenant_at, a.attnotnull AS tenant_always, r.rolname AS owner,
           coalesce('security_invoker=true' = ANY (c.reloptions), false) AS invoker
    FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1
"""
_UNIQUE = """
    SELECT i.indexrelid::regclass::text AS name, t.relname AS table,
           (SELECT attname FROM pg_attribute WHERE attrelid = t.oid AND attnum = i.indkey[0]) AS first,
           i.indisprimary AS primary,
           ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n) AS fields
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace ORDER BY 1
"""
_FOREIGN = """
    SELECT k.conname AS name, t.relname AS table, f.relname AS target,
           (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) AS first,
           (SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1]) AS first_there
    FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
    WHERE k.contype = 'f' ORDER BY 1
"""
_RIGHTS = """
    SELECT c.relname AS table, coalesce(r.rolname, 'PUBLIC') AS role, a.privilege_type AS right
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), 'column ' || x.attname
    FROM pg_class c JOIN pg_attribute x ON x.attrelid = c.oid CROSS JOIN aclexplode(x.attacl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.relnamespace = 'public'::regnamespace
"""
_POWERS = """
    SELECT rolname FROM pg_roles
    WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication ORDER BY 1
"""
_DEFINERS = """
    SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1
"""


@dataclass
class Catalogue:
    """One database's catalogue."""

    service: str
    tables: list[Any]
    unique: list[Any]
    foreign: list[Any]
    rights: list[Any]
    powers: list[str]
    definers: list[str]
    walled: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.walled = [one["name"] for one in self.tables if one["tenant_at"] is not None and one["kind"] in "rp"]

    @classmethod
    async def read(cls, url: str, service: str) -> "Catalogue":
        """As the administrator sees it."""
        connection = await asyncpg.connect(url)
        try:
            read = [await connection.fetch(sql) for sql in (_TABLES, _UNIQUE, _FOREIGN, _RIGHTS, _POWERS, _DEFINERS)]
        finally:
            await connection.close()
        tables, unique, foreign, rights, powers, definers = read
        return cls(service, tables, unique, foreign, rights, [row[0] for row in powers], [row[0] for row in definers])

    def rights_of(self, role: str) -> dict[str, set[str]]:
        """What a role may do, by table."""
        found: dict[str, set[str]] = {}
        for one in self.rights:
            if one["role"] == role:
                found.setdefault(one["table"], set()).add(one["right"])
        return found

    @property
    def holders(self) -> set[str]:
        """All roles that hold some right."""
        return {one["role"] for one in self.rights}

    def powers_of(self, roles: set[str]) -> list[str]:
        """Those of the roles that no wall would hold."""
        return [role for role in self.powers if role in roles]


def fences(catalogue: Catalogue, *, open_tables: Container[str], global_rules: Container[str]) -> list[str]:
    """All holes in the wall, as sentences."""
    return [*_tables(catalogue, open_tables), *_keys(catalogue, global_rules)]


def _tables(catalogue: Catalogue, open_tables: Container[str]) -> Iterator[str]:
    for table in catalogue.tables:
        name = table["name"]
        if table["kind"] not in "rp":
            if not table["invoker"]:
                yield f"{name} is a view that looks over the wall"
        elif name in open_tables:
            continue
        elif table["tenant_at"] is None:
            yield f"{name} has no tenant_id"
        else:
            if table["tenant_at"] != 1 or not table["tenant_always"]:
                yield f"{name}: tenant_id isn't the first column"
            if not table["forced"]:
                yield f"{name} has no forced row security"
    for function in catalogue.definers:
        if function != "gateway_tenant_of":
            yield f"{function} runs with its owner's rights"


def _keys(catalogue: Catalogue, global_rules: Container[str]) -> Iterator[str]:
    for key in catalogue.unique:
        if key["table"] in catalogue.walled and key["first"] != "tenant_id" and key["name"] not in global_rules:
            yield f"{key['name']} doesn't begin with tenant_id"
    for key in catalogue.foreign:
        if (key["first"], key["first_there"]) != ("tenant_id", "tenant_id"):
            yield f"{key['name']} doesn't begin with tenant_id"
