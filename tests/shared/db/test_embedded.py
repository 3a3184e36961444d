"""The embedded server after its processes were killed."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.testing.cluster import Cluster


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="crm-test-"))
    made = EmbeddedPostgres(folder / "pg", careless=True)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(made.sockets, ignore_errors=True)


async def test_a_number_that_now_names_another_server_is_not_taken_for_ours(
    server: EmbeddedPostgres, cluster: Cluster
) -> None:
    await server.started()
    server.stop()
    foreign = (cluster.server.data / "postmaster.pid").read_text()
    (server.data / "postmaster.pid").write_text(foreign)
    await server.started()
    connection = await asyncpg.connect(server.url())
    assert await connection.fetchval("SHOW data_directory") == str(server.data)
    await connection.close()
