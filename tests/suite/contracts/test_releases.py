"""What a release keeps, and how a broken promise is told; over all releases, not only the last."""

from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from crm_suite.contracts.__main__ import main
from crm_suite.contracts.releases import Contracts, foreign_topics

TODAY = date(2027, 3, 1)
OPENED = "crm.ticket.opened.v1"
Schema = dict[str, Any]


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(content))


def schema(*required: str, **fields: str) -> Schema:
    return {
        "type": "object",
        "required": required,
        "properties": {name: {"type": kind} for name, kind in fields.items()},
    }


def asyncapi(action: str, topic: str, *, partitions: int = 12, envelope: Schema | None = None) -> Schema:
    plain = {"type": "object"}
    channel = {"bindings": {"kafka": {"topic": topic, "partitions": partitions}}, "messages": {"m": {}}}
    return {
        "channels": {topic: channel},
        "operations": {f"{action}.{topic}": {}},
        "components": {
            "messages": {"m": {"payload": {"allOf": [plain, schema("data", data="string")]}}},
            "schemas": {"CloudEvent": envelope or plain, "Key": plain, "Headers": plain},
        },
    }


@pytest.fixture
def contracts(tmp_path: Path) -> Contracts:
    write(tmp_path / "openapi.json", {"paths": {}})
    write(tmp_path / "asyncapi.json", asyncapi("send", "crm.ticket"))
    event(tmp_path, schema("subject", subject="string"))
    return Contracts(tmp_path)


def event(folder: Path, content: Schema, *, event_type: str = OPENED) -> None:
    write(folder / "events" / f"{event_type}.schema.json", content)
    write(folder / "events" / f"{event_type}.example.json", {"subject": "It leaks"})


def faults(contracts: Contracts, foreign: frozenset[str] = frozenset()) -> list[str]:
    found = contracts.faults(foreign=foreign, today=TODAY)
    return [str(fault).replace(f"{contracts.folder}/", "") for fault in found]


def test_before_the_first_release_nothing_is_promised(contracts: Contracts) -> None:
    assert faults(contracts) == []


def test_a_release_breaks_nothing_of_itself(contracts: Contracts) -> None:
    contracts.release("0.1.0")
    assert faults(contracts) == []


def test_a_broken_event_is_told_with_document_field_release_and_way_out(contracts: Contracts) -> None:
    contracts.release("0.1.0")
    event(contracts.folder, schema("subject", subject="integer"))
    assert faults(contracts) == [
        f"events/{OPENED}.schema.json#/properties/subject: was string and is integer now, unlike in 0.1.0. "
        f"The way out: leave {OPENED} as it is, but for optional fields; publish crm.ticket.opened.v2 beside it."
    ]


def test_every_release_counts_not_only_the_last(contracts: Contracts) -> None:
    contracts.release("0.1.0")
    event(contracts.folder, schema("subject", subject="string", note="string"))
    contracts.release("0.2.0")
    (contracts.released / "events" / OPENED / "0.2.0.json").unlink()
    event(contracts.folder, schema("subject", "note", subject="string", note="string"))
    assert [fault.partition(": ")[2].partition(".")[0] for fault in faults(contracts)] == [
        "is new and required, unlike in 0"
    ]


def test_a_release_that_changed_nothing_of_an_event_keeps_no_copy(contracts: Contracts) -> None:
    contracts.release("0.1.0")
    contracts.release("0.2.0")
    assert contracts.releases == ["0.1.0", "0.2.0"]
    assert [(kind, release) for kind, release, _ in contracts.versions()] == [(OPENED, "0.1.0")]


def test_an_event_type_may_go_once_the_next_was_out_for_two_releases(contracts: Contracts) -> None:
    contracts.release("0.1.0")
    event(contracts.folder, schema(), event_type="crm.ticket.opened.v2")
    (contracts.folder / "events" / f"{OPENED}.schema.json").unlink()
    assert "is gone" in faults(contracts)[0]
    event(contracts.folder, schema("subject", subject="string"))
    contracts.release("0.2.0")
    contracts.release("0.3.0")
    (contracts.folder / "events" / f"{OPENED}.schema.json").unlink()
    assert faults(contracts) == []


CHANGES: dict[str, tuple[Schema, str]] = {
    "a topic": (asyncapi("send", "crm.matter"), "asyncapi.json#/channels/crm.ticket: is gone."),
    "its partitions": (
        asyncapi("send", "crm.ticket", partitions=24),
        "asyncapi.json#/channels/crm.ticket/bindings/kafka/partitions: partitions was 12 and is 24 now.",
    ),
    "the envelope": (
        asyncapi("send", "crm.ticket", envelope=schema("id", id="string")),
        "asyncapi.json#/components/schemas/CloudEvent/properties/id: is new and required.",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_lies_around_events_is_promised_too(contracts: Contracts, case: str) -> None:
    contracts.release("0.1.0")
    write(contracts.folder / "asyncapi.json", CHANGES[case][0])
    assert faults(contracts)[0].startswith(CHANGES[case][1])


def test_only_of_what_other_houses_send_is_it_promised_to_take_it(contracts: Contracts) -> None:
    write(contracts.folder / "asyncapi.json", asyncapi("receive", "crm.integration"))
    foreign = foreign_topics([contracts])
    assert foreign == {"crm.integration"}
    contracts.release("0.1.0")
    demanding = asyncapi("receive", "crm.integration")
    demanding["components"]["messages"]["m"]["payload"]["allOf"][1] = schema("data", "by", data="string", by="string")
    write(contracts.folder / "asyncapi.json", demanding)
    assert "properties/by: is new and required" in faults(contracts, foreign)[0]
    assert faults(contracts) == []


def test_the_command_fails_where_a_promise_is_broken_and_says_where_to_read_on(
    contracts: Contracts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["contracts", *arguments, str(contracts.folder)])
        return main()

    assert run("release", "0.1.0") == 0
    assert run("check") == 0
    event(contracts.folder, schema())
    assert run("check") == 1
    assert run("release", "0.2.0") == 1, "what breaks a promise isn't released"
    told = capsys.readouterr().err
    assert "/properties/subject: is gone" in told
    assert "CONTRIBUTING.md" in told
    event(contracts.folder, schema("subject", subject="string"))
    with pytest.raises(SystemExit, match="released already"):
        run("release", "0.1.0")
    with pytest.raises(SystemExit, match=r"0\.2\.0"):
        run("release", "next")
