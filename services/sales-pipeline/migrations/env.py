"""Alembic's way in; what it does is the kernel's."""

from crm_shared.db.migrations import run_environment

run_environment()
