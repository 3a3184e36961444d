"""The command line itself: quick, in order, and with exit codes that mean something."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from crm_suite import cli
from crm_suite.access.keys import end_of
from crm_suite.complaints import Complaint, NotAllowed, NotRunning

PAGE = Path(__file__).parents[2] / "docs/crm.md"
HEAVY = {
    "aiokafka",
    "alembic",
    "asyncpg",
    "crm_shared.runtime",
    "fastapi",
    "httpx",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
}


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["crm", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def commands(group: TyperGroup, prefix: str = "crm") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        path = f"{prefix} {name}"
        found |= commands(command, path) if isinstance(command, TyperGroup) else {path}
    return found


def test_help_loads_nothing_that_takes_its_time() -> None:
    asked = "import sys; import crm_suite.cli; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert not HEAVY & set(told.stdout.split())


def test_every_command_has_a_line_in_the_page_and_the_order_of_the_help() -> None:
    group = get_command(cli.app)
    assert isinstance(group, TyperGroup)
    assert group.list_commands(None) == list(cli._ORDER)
    page = PAGE.read_text(encoding="utf-8")
    for name in group.commands:
        assert re.search(rf"`crm {name}`", page), name
    for name in ("keys", "tenants", "events"):
        row = next(line for line in page.splitlines() if line.startswith(f"| [`crm {name}`]"))
        subcommands = {path.split()[2] for path in commands(group) if path.startswith(f"crm {name} ")}
        assert subcommands <= set(re.findall(r"\w+", row))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["no-such-command"], 2),
        (["keys", "create"], 2),
        (["keys", "create", "x", "--expires", "soon"], 3),
        (["keys", "list"], 3),
        (["tenants", "list", "--url", "http://127.0.0.1:9"], 4),
        (["tenants", "list", "--url", "http://127.0.0.1:9", "--key", "x"], 3),
        (["events", "parked", "list"], 3),
        (["keys", "bootstrap"], 3),
        (["backup", "nowhere.zip"], 1),
        (["restore", "nowhere.zip"], 1),
    ],
)
def test_exit_codes_tell_why(
    words: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("CRM_URL", "CRM_KEY", "DATABASE_URL", "GATEWAY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *words) == code
    told = capsys.readouterr()
    assert (told.out == "") == (code != 0)
    assert (told.err == "") == (code == 0)
    assert "Traceback" not in told.err


@pytest.mark.parametrize("kind", [Complaint, NotRunning, NotAllowed, RuntimeError])
def test_what_goes_wrong_is_a_sentence_on_standard_error(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise kind("[red]It could not be done.[/red]")

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.delenv("CRM_TRACE", raising=False)
    assert run(monkeypatch) == getattr(kind, "exit_code", 1)
    told = capsys.readouterr()
    assert told.out == ""
    assert "[red]It could not be done.[/red]" in told.err  # what somebody else wrote is no markup
    if kind is RuntimeError:
        monkeypatch.setenv("CRM_TRACE", "1")
        with pytest.raises(RuntimeError):
            cli.main()


def test_an_end_is_a_span_or_a_date() -> None:
    half_a_day, day, fortnight = (end_of(text) for text in ("12h", "1d", "2w"))
    assert half_a_day
    assert day
    assert fortnight
    assert half_a_day < day < fortnight
    date = end_of("2090-01-31")
    assert date is not None
    assert date.isoformat() == "2090-01-31T00:00:00+00:00"
    assert end_of("") is None
