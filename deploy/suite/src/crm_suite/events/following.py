"""What `crm events tail` does: it follows the gateway's stream, and takes it up again when it breaks."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from crm_suite.complaints import NotRunning
from crm_suite.gateway_client import GatewayClient, answered
from crm_suite.output import complain, moment, say

_COME_BACK_S = 2.0
_SILENT_AT_MOST_S = 60.0
_SHOWN_DATA = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events, and from when: by now (`since` empty), or a time."""

    types: tuple[str, ...] = ()
    subject: str = ""
    since: str = ""

    @property
    def query(self) -> dict[str, str]:
        """As the gateway is asked."""
        said = {"types": ",".join(self.types), "subject": self.subject, "from": self.since}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Following:
    """Events of one gateway, shown one a line."""

    gateway: GatewayClient

    def kept(self, asked: Asked, *, as_json: bool) -> None:
        """Show what is kept, and end."""
        for event in self.gateway.all("/v1/events", **asked.query):
            _show(event, as_json=as_json)

    def tail(self, asked: Asked, *, as_json: bool) -> None:
        """Show what happens, until somebody ends it.

        Raises:
            Complaint: the gateway refuses, now or when the stream is taken up again.
            NotRunning: it isn't there to begin with.
        """
        last = ""
        while True:
            try:
                for cursor, event in self._events(asked, last):
                    last = cursor
                    if event is not None:
                        _show(event, as_json=as_json)
            except httpx.TransportError as broken:
                if not last:
                    raise NotRunning(f"{self.gateway.http.base_url} does not answer. Is it running?") from broken
                complain(f"The stream broke ({type(broken).__name__}); taking it up again.")
            time.sleep(_COME_BACK_S)

    def _events(self, asked: Asked, last: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Cursors, each with the event before it if there is one; a stream that is taken up begins after `last`."""
        query = {name: value for name, value in asked.query.items() if not (last and name == "from")}
        headers = {"last-event-id": last} if last else {}
        patience = httpx.Timeout(10.0, read=_SILENT_AT_MOST_S)
        with self.gateway.http.stream(
            "GET", "/v1/events/stream", params=query, headers=headers, timeout=patience
        ) as answer:
            if not answer.is_success:
                answer.read()
                answered(answer)
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif fields:
                    yield fields.get("id", last), orjson.loads(fields["data"]) if "data" in fields else None
                    fields = {}


def _show(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        return
    data = orjson.dumps(event["data"]).decode()
    short = data if len(data) <= _SHOWN_DATA else data[: _SHOWN_DATA - 1] + "…"
    say(f"{moment(event['time'])}  {event['type']:34} {event['subject']:32} {short}")
