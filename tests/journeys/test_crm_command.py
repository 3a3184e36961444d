"""The command as it is typed: what docs/crm.md shows runs as it stands, and exit codes mean what it says they mean."""

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from crm_suite.allinone.home import Home

from .conftest import RunningSuite

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]

PAGE = (Path(__file__).parents[2] / "docs/crm.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def environment(home: Home) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"CRM_HOME": str(home.folder), "PATH": path, "COLUMNS": "200"}


def crm(home: Home, *words: str, answer: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "crm_suite", *words],
        env=environment(home) | more,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


def test_what_the_page_shows_runs_as_it_stands(suite: RunningSuite, tmp_path: Path) -> None:
    assert len(EXAMPLES) >= 7
    script = "set -eu\n" + "".join(EXAMPLES)
    told = subprocess.run(
        ["bash", "-c", script],
        env=environment(suite.home),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert told.returncode == 0, (told.stdout, told.stderr)
    assert "Acme Wines" in told.stdout
    assert "\x1b[" not in told.stdout
    findings = orjson.loads((tmp_path / "findings.json").read_bytes())["findings"]
    assert {finding["check"] for finding in findings} >= {
        "database", "migrations", "parked keys", "outbox", "bus", "topics", "consumer lag", "clock", "gateway", "disk",
    }  # fmt: skip
    assert (tmp_path / "before-upgrade.zip").stat().st_size > 0


def test_who_is_asked_and_says_no_closes_nothing(suite: RunningSuite) -> None:
    made = orjson.loads(crm(suite.home, "tenants", "create", "undecided", "--json").stdout)
    asked = crm(suite.home, "tenants", "close", "undecided", answer="n\n")
    assert asked.returncode == 1
    assert "purge" in asked.stderr
    assert orjson.loads(crm(suite.home, "tenants", "show", made["id"], "--json").stdout)["state"] == "active"
    # Its key is its own company's: an operator's acts are not for it.
    url, refused = suite.facts["url"], ("tenants", "list")
    assert crm(suite.home, *refused, CRM_URL=url, CRM_KEY=made["key"]).returncode == 4
    twice = crm(suite.home, "tenants", "create", "undecided")
    assert (twice.returncode, twice.stdout) == (1, "")
    assert "already" in twice.stderr


def test_a_key_does_what_its_roles_say_until_it_is_revoked(suite: RunningSuite) -> None:
    made = orjson.loads(crm(suite.home, "keys", "create", "reader", "--role", "viewer", "--json").stdout)
    theirs = {"CRM_URL": suite.facts["url"], "CRM_KEY": made["key"]}
    assert crm(suite.home, "keys", "list", **theirs).returncode == 4  # no admin
    assert crm(suite.home, "keys", "revoke", made["id"]).returncode == 0
    gone = crm(suite.home, "keys", "list", **theirs)
    assert gone.returncode == 4
    assert "CRM_KEY" in gone.stderr
    assert crm(suite.home, "keys", "create", "x", "--role", "emperor").returncode == 1
    assert crm(suite.home, "keys", "create", "x", "--expires", "soon").returncode == 2
