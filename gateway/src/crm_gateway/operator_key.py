"""`python -m crm_gateway operator-key`: the key that makes all others, printed once and kept nowhere."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

from crm_gateway.identity.first_operator import SLUG, make_operator_key
from crm_gateway.settings import GatewaySettings
from crm_shared.clock import SystemClock
from crm_shared.db.away import FAILED
from crm_shared.errors import CrmError


def print_operator_key(words: Sequence[str]) -> None:
    """Make a key against this process' database; its text alone goes to standard output."""
    parser = argparse.ArgumentParser(prog="operator-key", description=__doc__)
    parser.add_argument("--tenant", default=SLUG, help="short name of its tenant, opened if it isn't there")
    parser.add_argument("--name", default="operator", help="what the key is called")
    parser.add_argument("--days", type=int, help="how long it holds (default: until it is revoked)")
    asked = parser.parse_args(words)
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] # the environment fills it
    now = SystemClock().now()
    ends = now + timedelta(days=asked.days) if asked.days is not None else None
    try:
        made = asyncio.run(
            make_operator_key(settings.database_url, slug=asked.tenant, name=asked.name, expires_at=ends, now=now)
        )
    except (CrmError, *FAILED) as fault:
        sys.exit(f"No key was made. {fault}")
    sys.stdout.write(f"{made.text}\n")
