"""Alarms and dashboards, checked by Prometheus' own tool, and against what they point at."""

import json
import re
from pathlib import Path

import pytest
import yaml

from .manifests import ROOT
from .promtool import DASHBOARDS, FOLDER, RULES, expressions, panels, rules, run

RUNBOOKS = ROOT / "docs" / "runbooks.md"
GRID = 24


def test_prometheus_takes_its_configuration_and_all_rules() -> None:
    done = run("check", "config", FOLDER / "prometheus" / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alarms_are_raised_when_they_should_be_and_only_then() -> None:
    done = run("test", "rules", FOLDER / "prometheus" / "tests" / "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_expression_of_every_dashboard_is_promql(tmp_path: Path) -> None:
    asked = expressions()
    assert len(asked) > 50
    group = {"name": "dashboards", "rules": [{"record": f"panel:{n}", "expr": one} for n, one in enumerate(asked)]}
    path = tmp_path / "dashboards.yml"
    path.write_text(yaml.safe_dump({"groups": [group]}))
    done = run("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alarm_says_what_is_wrong_and_where_to_read_on() -> None:
    sections = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in RUNBOOKS.read_text().splitlines()
        if line.startswith("#")
    }
    alarms = [rule for rule in rules() if "alert" in rule]
    assert len(alarms) > 15
    for alarm in alarms:
        assert alarm["labels"]["severity"] in {"page", "ticket"}, alarm["alert"]
        told = alarm["annotations"]
        assert told.keys() == {"summary", "description", "runbook_url"}, alarm["alert"]
        page, _, section = told["runbook_url"].partition("#")
        assert (ROOT / page) == RUNBOOKS
        assert section in sections, alarm["alert"]


def test_every_alarm_is_in_a_runbook_by_its_name() -> None:
    text = RUNBOOKS.read_text()
    assert [rule["alert"] for rule in rules() if "alert" in rule and f"`{rule['alert']}`" not in text] == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == f"corkscrew-{path.stem}"
    assert board["title"].startswith("Corkscrew")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= GRID, panel["title"]
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert [target["refId"] for target in panel["targets"]] == sorted({t["refId"] for t in panel["targets"]})
    known = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval", "__all"}
    used = set(re.findall(r"\$(\w+)", json.dumps([panel.get("targets") for panel in board["panels"]])))
    assert used <= known


def test_dashboards_ask_the_one_source_that_is_provisioned() -> None:
    provisioning = FOLDER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    asked = {panel["datasource"]["uid"] for _, panel in panels() if panel["type"] != "row"}
    assert asked == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "corkscrew.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
