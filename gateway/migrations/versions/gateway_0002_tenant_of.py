"""tenant of: whose is this handle, the one question that is asked before a tenant is known.

The directory stays behind the tenant wall. This function runs with its owner's rights and gives one tenant's id for one
exact kind and handle, so that nobody can list the directory or learn anything else from it.
"""

from alembic import op

revision = "gateway_0002"
down_revision = "gateway_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    app = op.get_context().opts["crm_roles"].app
    op.execute(
        """
        CREATE FUNCTION public.gateway_tenant_of(wanted_kind text, wanted_handle text) RETURNS uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        RETURN (SELECT tenant_id FROM public.directory WHERE kind = wanted_kind AND handle = wanted_handle)
        """
    )
    op.execute("REVOKE ALL ON FUNCTION public.gateway_tenant_of(text, text) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION public.gateway_tenant_of(text, text) TO {app}")


def downgrade() -> None:
    op.execute("DROP FUNCTION public.gateway_tenant_of(text, text)")
