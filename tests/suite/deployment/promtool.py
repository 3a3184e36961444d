"""Prometheus' own checker, and what dashboards and alarms ask of it.

It is in no package registry of Python or Node. Debian has a package, which is downloaded and unpacked, not installed:
so no privileges are needed. Elsewhere `promtool` on the path is taken.
"""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from .manifests import ROOT

FOLDER = ROOT / "deploy" / "observability"
RULES = sorted((FOLDER / "prometheus" / "rules").glob("*.yml"))
DASHBOARDS = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
METRIC = re.compile(r"\b(?:crm|process|node)_[a-z0-9_]+|\bup\b")
_UNPACKED = ROOT / ".cache" / "promtool"
_RECORDED = re.compile(r"\b[a-z]+:[a-z_]+:[a-z0-9_]+")
_STRINGS = re.compile(r'"[^"]*"')


@cache
def promtool() -> str:
    """The program; without it the test is skipped, loudly. Wherever Debian's archive answers it is there."""
    found = shutil.which("promtool") or shutil.which("promtool", path=str(_UNPACKED / "usr" / "bin"))
    return (
        found
        or _unpacked()
        or pytest.skip("NO PROMTOOL, SO ALARMS ARE NOT TESTED: it isn't on the path, and apt has none")
    )


def _unpacked() -> str | None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    for command in (
        ["apt-get", "download", "prometheus"],
        ["apt-get", "update"],
        ["apt-get", "download", "prometheus"],
    ):
        done = subprocess.run(command, cwd=_UNPACKED, capture_output=True, timeout=90, check=False)
        packages = sorted(_UNPACKED.glob("prometheus_*.deb"))
        if done.returncode == 0 and packages:
            subprocess.run(["dpkg-deb", "--extract", packages[-1], _UNPACKED], check=True, capture_output=True)
            packages[-1].unlink()
            return shutil.which("promtool", path=str(_UNPACKED / "usr" / "bin"))
    return None


def run(*words: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        [promtool(), *map(str, words)], input=given, capture_output=True, text=True, env=environment, check=False
    )


def checked_metrics(shown: str) -> str:
    """What promtool's lint has to say of an exposition; nothing when all is well."""
    done = run("check", "metrics", given=shown)
    return done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[tuple[str, dict[str, Any]]]:
    return [(path.stem, panel) for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]


def expressions() -> list[str]:
    """Every PromQL of the dashboards, its variables filled in as Grafana would."""
    asked = [target["expr"] for _, panel in panels() for target in panel.get("targets", ())]
    for path in DASHBOARDS:
        asked += [note["expr"] for note in json.loads(path.read_text())["annotations"]["list"]]
    return [re.sub(r"\$(service|job)\b", ".*", one.replace("$__rate_interval", "5m")) for one in asked]


def watched_metrics() -> set[str]:
    """The names that dashboards and alarms ask for."""
    asked = [*expressions(), *(rule["expr"] for rule in rules())]
    for path in DASHBOARDS:
        asked += [one["query"]["query"] for one in json.loads(path.read_text())["templating"]["list"]]
    return {name for text in asked for name in METRIC.findall(_STRINGS.sub("", _RECORDED.sub("", text)))}
