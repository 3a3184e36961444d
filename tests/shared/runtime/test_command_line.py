"""What an operator runs of a service, as a process of its own."""

import os
import subprocess
import sys

import asyncpg

from crm_shared.testing.cluster import Cluster
from crm_shared.testing.probe.app import SERVICE

PROGRAM = "from crm_shared.runtime import main; from crm_shared.testing.probe.app import SERVICE; main(SERVICE)"


_EPOCH = """
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
WHERE adrelid = 'event_sequence'::regclass AND attname = 'epoch'
"""


async def test_a_restored_database_begins_a_new_epoch_of_events(cluster: Cluster) -> None:
    urls = await cluster.database(SERVICE.schema)
    told = {"DATABASE_URL": urls.app, "OWNER_DATABASE_URL": urls.owner}
    connection = await asyncpg.connect(urls.owner)
    try:
        before = await connection.fetchval(_EPOCH)
        command = [sys.executable, "-c", PROGRAM, "restored"]
        done = subprocess.run(command, env=os.environ | told, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (before, await connection.fetchval(_EPOCH)) == ("0", "1")
    finally:
        await connection.close()
