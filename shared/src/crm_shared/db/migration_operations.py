"""What a version can do beyond Alembic's own operations, and how a generated one comes to say it.

A new table is put behind the tenant wall by `op.build_wall`, or, where rows belong to no tenant, granted what its
declaration says by `op.grant_open`. An index of a table that is there already is built by `op.build_index`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op_text
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import CreateIndexOp, CreateTableOp, MigrationScript, ModifyTableOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table, text

from crm_shared.db.metadata import is_walled
from crm_shared.db.walls import Roles, open_grants, wall

_IS_BROKEN = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


@Operations.register_operation("build_wall")
class BuildWall(MigrateOperation):
    """Put a tenant table behind row-level security."""

    def __init__(self, table: str, across: tuple[str, ...] = ()) -> None:
        self.table = table
        self.across = across

    @classmethod
    def build_wall(cls, operations: Operations, table: str, across: tuple[str, ...] = ()) -> None:
        """`across`: the privileges of the worker role over all tenants' rows."""
        operations.invoke(cls(table, across))


@Operations.register_operation("grant_open")
class GrantOpen(MigrateOperation):
    """Grant privileges on a table whose rows belong to no tenant."""

    def __init__(self, table: str, grants: dict[str, str]) -> None:
        self.table = table
        self.grants = grants

    @classmethod
    def grant_open(cls, operations: Operations, table: str, grants: dict[str, str]) -> None:
        """`grants`: role (`app`, `worker`, `finder`) to privileges."""
        operations.invoke(cls(table, grants))


def _roles(operations: Operations) -> Roles:
    return operations.migration_context.opts["crm_roles"]


@Operations.implementation_for(BuildWall)
def _build_wall(operations: Operations, operation: BuildWall) -> None:
    bare = Table(operation.table, MetaData(), info={"tenant": True, "across": operation.across})
    for statement in wall(bare, _roles(operations)):
        operations.execute(statement)


@Operations.implementation_for(GrantOpen)
def _grant_open(operations: Operations, operation: GrantOpen) -> None:
    bare = Table(operation.table, MetaData(), info={"grants": operation.grants})
    for statement in open_grants(bare, _roles(operations)):
        operations.execute(statement)


@renderers.dispatch_for(BuildWall)
def _render_wall(_: AutogenContext, operation: BuildWall) -> str:
    across = f", across={operation.across!r}" if operation.across else ""
    return f"op.build_wall({operation.table!r}{across})"


@renderers.dispatch_for(GrantOpen)
def _render_grant(_: AutogenContext, operation: GrantOpen) -> str:
    return f"op.grant_open({operation.table!r}, {operation.grants!r})"


@Operations.register_operation("build_index")
class BuildIndex(MigrateOperation):
    """Build an index of a table that is in use; nobody who writes to it waits meanwhile."""

    def __init__(self, index: CreateIndexOp) -> None:
        self.index = index

    @classmethod
    def build_index(cls, operations: Operations, name: str, table: str, columns: Sequence[str], **options: Any) -> None:
        """Takes what `op.create_index` takes. What the version has done before is committed by it."""
        operations.invoke(cls(CreateIndexOp(name, table, columns, **options)))


@Operations.implementation_for(BuildIndex)
def _build_index(operations: Operations, operation: BuildIndex) -> None:
    index = operation.index
    assert index.index_name is not None
    with operations.migration_context.autocommit_block():
        connection = operations.get_bind()
        # It waits for the transactions that are there when it begins: nobody waits for it in return.
        connection.execute(text("SET lock_timeout = '10min'"))
        if connection.scalar(_IS_BROKEN, {"name": index.index_name}):  # an attempt before was cut off
            connection.execute(text(f'DROP INDEX CONCURRENTLY "{index.index_name}"'))
        whole = CreateIndexOp(
            index.index_name, index.table_name, index.columns, unique=index.unique, if_not_exists=True,
            **index.kw, postgresql_concurrently=True,
        )  # fmt: skip
        operations.invoke(whole)
        connection.execute(text("RESET lock_timeout"))


@renderers.dispatch_for(BuildIndex)
def _render_index(context: AutogenContext, operation: BuildIndex) -> str:
    return render_op_text(context, operation.index).replace("op.create_index(", "op.build_index(", 1)


def in_our_words(metadata: MetaData) -> Callable[[MigrationContext, Any, list[MigrationScript]], None]:
    """What Alembic has found to do, with these operations where they are the right ones."""

    def process(_: MigrationContext, __: Any, scripts: list[MigrationScript]) -> None:
        for script in scripts:
            assert script.upgrade_ops is not None
            made = [op.table_name for op in script.upgrade_ops.ops if isinstance(op, CreateTableOp)]
            for changed in script.upgrade_ops.ops:
                if isinstance(changed, ModifyTableOps) and changed.table_name not in made:
                    changed.ops = [BuildIndex(op) if isinstance(op, CreateIndexOp) else op for op in changed.ops]
            script.upgrade_ops.ops.extend(_access_to(metadata.tables[name]) for name in made)

    return process


def _access_to(table: Table) -> MigrateOperation:
    if is_walled(table):
        return BuildWall(table.name, table.info.get("across", ()))
    return GrantOpen(table.name, table.info.get("grants", {"app": "SELECT"}))
