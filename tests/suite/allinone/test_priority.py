"""Who gives way to whom on a busy processor."""

import os
import sys
from pathlib import Path

import asyncpg
import pytest

from crm_shared.db.walls import Roles
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE
from crm_suite.allinone.priority import NICENESS, Backends, give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which processes a server has")


def weighs(pid: int) -> set[int]:
    """How nice a process is, and its session where sessions are weighed."""
    session = Path(f"/proc/{pid}/autogroup")
    of_session = {int(session.read_text().split()[-1])} if session.exists() else set[int]()
    return {os.getpriority(os.PRIO_PROCESS, pid)} | of_session


async def test_what_serves_a_worker_gives_way_and_what_serves_an_api_does_not(cluster: Cluster) -> None:
    urls = await cluster.database(SERVICE.schema)
    worker, app = await asyncpg.connect(urls.worker), await asyncpg.connect(urls.app)
    try:
        backends = Backends(cluster.server, {Roles.of(SERVICE.name).worker})
        backends.look()
        assert weighs(worker.get_server_pid()) == {NICENESS}
        assert weighs(app.get_server_pid()) == {0}
        later = await asyncpg.connect(urls.worker)
        backends.look()
        assert weighs(later.get_server_pid()) == {NICENESS}
        await later.close()
    finally:
        await worker.close()
        await app.close()


def test_a_process_that_has_gone_is_no_trouble() -> None:
    assert not give_way(2**22 + 1)
