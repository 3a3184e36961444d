"""The gateway as processes of its own."""

import asyncio
from pathlib import Path

import orjson
import pytest
from tests.gateway.processes import serving, settings_for, start

from crm_shared.testing.cluster import Cluster


@pytest.mark.journey
async def test_it_migrates_serves_and_stops_when_asked(cluster: Cluster, tmp_path: Path):
    settings = await settings_for(cluster, tmp_path)
    migrated = await start("migrate", settings)
    assert await asyncio.wait_for(migrated.wait(), 30) == 0
    async with serving(settings) as (process, http):
        refused = await http.get("/v1/me")
    out, _ = await asyncio.wait_for(process.communicate(), 15)
    assert (refused.status_code, refused.json()["code"]) == (401, "credential_missing")
    lines = [orjson.loads(line) for line in out.splitlines()]
    assert [(line["route"], line["status"]) for line in lines][-2:] == [("/readyz", 200), ("/v1/me", 401)]


@pytest.mark.journey
async def test_several_processes_write_whole_lines_and_stop_together(cluster: Cluster, tmp_path: Path):
    async with serving({**await settings_for(cluster, tmp_path), "WORKERS": "2"}) as (process, http):
        for _ in range(20):
            await http.get("/v1/me", headers={"connection": "close"})
    out, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0
    assert [orjson.loads(line)["route"] for line in out.splitlines()].count("/v1/me") == 20
