"""`make run` as a person meets it: it starts, answers, keeps what it was told, and leaves nothing behind."""

import signal
import subprocess
import time
from pathlib import Path

import httpx
import orjson
import psutil
import pytest

from crm_suite.allinone.home import Home

from .conftest import RunningSuite, start_suite, wait_until_up

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]


def pasted(suite: RunningSuite, what: str) -> object:
    line = next(line for line in suite.text().splitlines() if line.startswith("curl") and what in line)
    shell = subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=30)
    return orjson.loads(shell.stdout)


def ask(suite: RunningSuite, path: str) -> httpx.Response:
    facts = suite.facts
    return httpx.get(facts["url"] + path, headers={"authorization": f"Bearer {facts['access']['api_key']}"}, timeout=10)


def test_the_three_lines_work_when_pasted(suite: RunningSuite) -> None:
    me = pasted(suite, "/v1/me")
    assert isinstance(me, dict)
    assert me["tenant"]["slug"] == "corkscrew"
    made = pasted(suite, "application/json")
    assert isinstance(made, dict)
    assert made["display_name"] == "Grace Hopper"
    listed = pasted(suite, "limit=3")
    assert isinstance(listed, dict)
    assert made["id"] in {item["id"] for item in listed["items"]}


def test_the_printed_log_in_works(suite: RunningSuite) -> None:
    access = suite.facts["access"]
    body = {"tenant": access["slug"], "email": access["email"], "password": access["password"]}
    assert httpx.post(suite.facts["url"] + "/v1/sessions", json=body, timeout=10).status_code == 201
    assert access["password"] in suite.text()


def test_documents_and_the_mail_page_answer(suite: RunningSuite) -> None:
    for url in (f"{suite.facts['url']}/docs", f"{suite.facts['url']}/openapi.json", suite.facts["mail"]):
        assert httpx.get(url, timeout=10).status_code == 200, url


def test_a_second_start_says_so_and_leaves_the_first_alone(suite: RunningSuite, tmp_path: Path) -> None:
    second = start_suite(tmp_path, CRM_HOME=str(suite.home.folder))
    assert second.wait(30) == 1
    told = (tmp_path / "printed.txt").read_text()
    assert f"process {suite.process.pid}" in told
    assert "CRM_HOME=" in told
    assert "Traceback" not in told
    assert ask(suite, "/v1/me").status_code == 200


def test_a_taken_port_is_said_in_a_sentence(suite: RunningSuite, tmp_path: Path) -> None:
    port = suite.facts["url"].rpartition(":")[2]
    other = start_suite(tmp_path, PORT=port)
    assert other.wait(30) == 1
    told = (tmp_path / "printed.txt").read_text()
    assert f"Port {port} (the gateway) is taken" in told
    assert "PORT=" in told
    assert "Traceback" not in told


def test_a_senseless_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    other = start_suite(tmp_path, PORT="eighty")
    assert other.wait(30) == 1
    assert "PORT=eighty is no port" in (tmp_path / "printed.txt").read_text()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_nothing_behind(tmp_path: Path, sign: signal.Signals) -> None:
    suite = wait_until_up(tmp_path, start_suite(tmp_path))
    family = suite.family()
    assert any("postgres" in process.name() for process in family)
    assert suite.stop(sign) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert not suite.home.is_locked()
    assert not (suite.home.folder / "running.json").exists()
    assert f"{sign.name}: stopping" in suite.text()


def test_a_signal_during_the_start_stops_what_was_started(tmp_path: Path) -> None:
    process = start_suite(tmp_path)
    home = Home(tmp_path / "home")
    deadline = time.monotonic() + 30
    while not (home.postgres / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_after_a_kill_the_data_and_the_keys_are_there(tmp_path: Path) -> None:
    suite = wait_until_up(tmp_path, start_suite(tmp_path))
    before = suite.facts
    made = pasted(suite, "application/json")
    assert isinstance(made, dict)
    suite.stop(signal.SIGKILL)
    again = wait_until_up(tmp_path, start_suite(tmp_path))
    try:
        assert again.facts["access"] == before["access"]
        assert ask(again, f"/v1/customers/{made['id']}").json()["display_name"] == "Grace Hopper"
        assert pasted(again, "/v1/me")
    finally:
        again.stop()


def test_a_cold_start_is_within_its_bar(tmp_path: Path) -> None:
    """The bar is 10 s from the command to the first answered request on an idle machine; a busy one gets more."""
    started = time.monotonic()
    suite = wait_until_up(tmp_path, start_suite(tmp_path))
    assert ask(suite, "/v1/me").status_code == 200
    seconds = time.monotonic() - started
    memory_mb = sum(process.memory_info().rss for process in (psutil.Process(suite.process.pid),)) / 1e6
    busy = psutil.getloadavg()[0] / (psutil.cpu_count() or 1)
    suite.stop()
    print(f"cold start: {seconds:.1f} s to the first answer (load per core {busy:.1f}), {memory_mb:.0f} MB resident")
    assert seconds < 10 * max(1.0, busy + 1)
