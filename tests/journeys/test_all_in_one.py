"""`make run` as a person meets it: it starts, answers, keeps what it was told, and leaves nothing behind."""

import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import orjson
import psutil
import pytest

from crm_shared.db.embedded import EmbeddedPostgres
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


def test_a_second_start_says_so_and_leaves_the_first_alone(suite: RunningSuite, folder: Path) -> None:
    second = start_suite(folder, CRM_HOME=str(suite.home.folder))
    assert second.wait(30) == 1
    told = (folder / "printed.txt").read_text()
    assert f"process {suite.process.pid}" in told
    assert "CRM_HOME=" in told
    assert "Traceback" not in told
    assert ask(suite, "/v1/me").status_code == 200


def test_a_taken_port_is_said_in_a_sentence(suite: RunningSuite, folder: Path) -> None:
    port = suite.facts["url"].rpartition(":")[2]
    other = start_suite(folder, PORT=port)
    assert other.wait(30) == 1
    told = (folder / "printed.txt").read_text()
    assert f"Port {port} (the gateway) is taken" in told
    assert "PORT=" in told
    assert "Traceback" not in told


def test_a_senseless_port_is_said_in_a_sentence(folder: Path) -> None:
    other = start_suite(folder, PORT="eighty")
    assert other.wait(30) == 1
    assert "PORT=eighty is no port" in (folder / "printed.txt").read_text()


def test_workers_that_die_are_started_again_and_stopping_leaves_nothing_behind(folder: Path) -> None:
    suite = wait_until_up(folder, start_suite(folder))
    first = workers_of(suite)
    assert first.nice() > psutil.Process(suite.process.pid).nice()
    first.kill()
    deadline = time.monotonic() + 60
    while (workers := [each for each in suite.family() if is_workers(each)]) in ([], [first]):
        assert time.monotonic() < deadline, "nobody works any more"
        time.sleep(0.05)
    assert ask(suite, "/v1/me").status_code == 200
    job = httpx.post(
        suite.facts["url"] + "/v1/customers/republish",
        headers={"authorization": f"Bearer {suite.facts['access']['api_key']}"},
        timeout=10,
    ).json()
    while not ask(suite, f"/v1/operations/{job['id']}").json()["finished_at"]:
        assert time.monotonic() < deadline, "the job that was started is not carried out"
        time.sleep(0.05)
    assert len(workers) == 1
    leaves_nothing_behind(suite, signal.SIGTERM)


def test_a_killed_suite_leaves_no_workers_and_comes_back_with_its_data_and_keys(folder: Path) -> None:
    suite = wait_until_up(folder, start_suite(folder))
    before, workers = suite.facts, workers_of(suite)
    made = pasted(suite, "application/json")
    assert isinstance(made, dict)
    suite.stop(signal.SIGKILL)
    _, alive = psutil.wait_procs([workers], timeout=20)
    assert alive == []
    again = wait_until_up(folder, start_suite(folder))
    assert again.facts["access"] == before["access"]
    assert ask(again, f"/v1/customers/{made['id']}").json()["display_name"] == "Grace Hopper"
    assert pasted(again, "/v1/me")
    leaves_nothing_behind(again, signal.SIGINT)


def leaves_nothing_behind(suite: RunningSuite, sign: signal.Signals) -> None:
    server = EmbeddedPostgres(suite.home.postgres).pid
    family = {*suite.family(), psutil.Process(server)}  # after a kill the server is an orphan that was adopted
    assert suite.stop(sign) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert not suite.home.is_locked()
    assert not (suite.home.folder / "running.json").exists()
    assert f"{sign.name}: stopping" in suite.text()


def is_workers(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "crm_suite.allinone.workers" in process.cmdline()
    return False


def workers_of(suite: RunningSuite) -> psutil.Process:
    (workers,) = [each for each in suite.family() if is_workers(each)]
    return workers


def test_a_signal_during_the_start_stops_what_was_started(folder: Path) -> None:
    process = start_suite(folder)
    home = Home(folder / "home")
    deadline = time.monotonic() + 30
    while not (home.postgres / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
