"""What leaves a process by its logs: all of it is JSON, and nothing of a person or a secret is in it."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

PERSON = ("Zebulon", "quux@leak.example", "+49301234567")
SECRET = "s3cr3t-of-the-database"

PROGRAM = """
import asyncio, logging, os, sys, threading
import asyncpg
from pydantic import BaseModel
from crm_shared.observability.logs import configure_logs, logger
from crm_shared.observability.tracing import Trace, following

name, mail, phone, dsn = os.environ["NAME"], os.environ["MAIL"], os.environ["PHONE"], os.environ["DSN"]
configure_logs("INFO")
log = logger("probe")

class Form(BaseModel):
    age: int

def fails():
    raise ValueError(f"{name} <{mail}> can't be called at {phone}")

def caught(what):
    try:
        what()
    except Exception as error:
        log.error("handler_failed", exc_info=error)
        log.warning("also", error=error, parts={"to": mail, "more": [phone]})

async def main():
    with following(Trace.read("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"), request_id="req_1234567890"):
        caught(fails)
        caught(lambda: Form.model_validate({"age": mail, name: phone}))
        connection = await asyncpg.connect(dsn)
        await connection.execute("CREATE TEMP TABLE person (name text, mail text PRIMARY KEY)")
        await connection.execute("INSERT INTO person VALUES ($1, $2)", name, mail)
        for statement in ("INSERT INTO person VALUES ($1, $2)", "SELECT $1::text::int, $2::text"):
            try:
                await connection.fetch(statement, name, mail)
            except asyncpg.PostgresError as error:
                try:
                    raise RuntimeError(f"could not keep {name}") from error
                except RuntimeError as outer:
                    log.error("request_failed", exc_info=outer)
        await connection.close()
    async def forgotten():
        fails()
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    logging.getLogger("some.library").warning("sending to %s failed\\nits body was %s", mail, name)
    logging.getLogger("some.library").error("GET https://x.example/?token=%s", "tok" * 9, exc_info=ValueError(name))
    logging.getLogger("httpx").info("HTTP Request: GET https://x.example/%s", name)
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()

asyncio.run(main())
raise ConnectionError(f"could not connect to {dsn} for {name}")
"""


@pytest.fixture(scope="module")
def lines(cluster, tmp_path_factory) -> list[dict[str, object]]:
    path = tmp_path_factory.mktemp("logs") / "probe.py"
    path.write_text(PROGRAM)
    name, mail, phone = PERSON
    told = {"NAME": name, "MAIL": mail, "PHONE": phone, "DSN": cluster.server.url()}
    done = subprocess.run(
        [sys.executable, str(path)], env={**os.environ, **told}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return [orjson.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_json_whoever_wrote_it(lines):
    assert {line["event"] for line in lines} == {
        "handler_failed", "also", "request_failed", "Task exception was never retrieved", "sending to [e-mail] failed",
        "GET https://x.example/?[query]", "thread_crashed", "crashed",
    }  # fmt: skip
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)


def test_no_line_says_anything_of_a_person_or_a_secret(lines):
    text = orjson.dumps(lines).decode()
    assert [value for value in (*PERSON, "leak.example", "tok" * 9) if value in text] == []


def test_the_embedded_database_keeps_rows_out_of_its_log_too(lines, cluster):
    assert [value for value in PERSON if value in cluster.server.log.read_text()] == []


def test_errors_keep_what_leads_to_their_cause(lines):
    failed = [line for line in lines if line["event"] == "handler_failed"]
    assert [line["error"] for line in failed] == ["ValueError", "ValidationError"]
    assert failed[0]["at"][-1].endswith(" fails")
    of_database = [line for line in lines if line["event"] == "request_failed"]
    assert [line["because"] for line in of_database] == [
        ["UniqueViolationError 23505 person person_pkey"],
        ["InvalidTextRepresentationError 22P02"],
    ]


def test_lines_name_the_request_and_the_trace_of_the_work(lines):
    first = next(line for line in lines if line["event"] == "handler_failed")
    assert (first["trace_id"], first["span_id"], first["request_id"]) == ("ab" * 16, "cd" * 8, "req_1234567890")
    assert "trace_id" not in next(line for line in lines if line["event"] == "crashed")


def test_a_wrong_setting_is_named_without_the_values_of_the_others(tmp_path: Path):
    told = {"DATABASE_URL": f"postgresql://app:{SECRET}@db/crm", "PORT": "eighty", "CURSOR_SECRET": SECRET}
    done = subprocess.run(
        [sys.executable, "-m", "crm_gateway", "api"],
        env={"PATH": os.environ["PATH"], **told},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "port" in done.stderr
    assert SECRET not in done.stdout + done.stderr
