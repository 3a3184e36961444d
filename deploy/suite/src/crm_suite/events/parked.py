"""What `crm events parked` does: a client of the gateway, like any other operator's."""

import secrets
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from crm_suite.allinone.home import Home
from crm_suite.topology import NAMES

_TIMEOUT_S = 30
_TRIED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.25
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "Give an API key that holds: --key, or CRM_KEY.",
    HTTPStatus.FORBIDDEN: "Use the key of an administrator.",
    HTTPStatus.NOT_FOUND: "`crm events parked list` shows what waits.",
}


class CannotReach(Exception):
    """It could not be done; the text says why and what to do."""


@contextmanager
def opened(url: str, key: str) -> "Generator[Parked]":
    """A client of this gateway, or of the suite that runs on this folder.

    Raises:
        CannotReach: no suite runs here and none is named, or it doesn't answer.
    """
    home = Home.chosen()
    running = (home.running() or {}) if home.is_locked() else {}
    url = url or running.get("url", "")
    key = key or running.get("access", home.recall("access") or {}).get("api_key", "")
    if not url:
        raise CannotReach(f"No suite runs on {home.folder}. Start it (`crm up`), or name a gateway: --url and --key.")
    headers = {"authorization": f"Bearer {key}", "user-agent": "crm-events"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S) as client:
            yield Parked(client)
    except httpx.TransportError as failure:
        raise CannotReach(f"{url} does not answer ({type(failure).__name__}). Is it running? `crm doctor`") from None
    except httpx.InvalidURL:
        raise CannotReach(f"{url} is no address; --url takes one like http://127.0.0.1:8080.") from None


@dataclass
class Parked:
    """The routes under /v1/parked-events, and how their answers are shown. Each act says whether it was done."""

    client: httpx.Client

    def show_list(self, service: str, *, as_json: bool) -> bool:
        keys: list[dict[str, Any]] = []
        silent: list[str] = []
        for name in [service] if service else NAMES:
            try:
                keys += [{"service": name, **one} for one in self._all(_path(name))]
                keys += [{"service": name, **one} for one in self._unreadable(name)]
            except CannotReach as reason:
                if service:
                    raise
                silent.append(f"{name}: {reason}")
        if as_json:
            _print_json({"items": keys, "silent": silent})
        else:
            _show_keys(keys)
        for line in silent:
            Console(stderr=True).print(line, style="red", highlight=False, soft_wrap=True)
        return not silent

    def show_key(self, service: str, key: str, *, content: bool, as_json: bool) -> bool:
        shown = self._ask("GET", _path(service, key))
        acts = self._all(_path(service, "audit"), key=key)
        messages = self._all(_path(service, key, "messages")) if content else []
        if as_json:
            _print_json({**shown, "service": service, "acts": acts, "messages": messages})
            return True
        console = Console()
        for name, value in shown.items():
            console.print(f"[bold]{name.replace('_', ' '):14}[/bold] ", end="")
            console.print(str(value), highlight=False, markup=False, soft_wrap=True)
        for act in acts:
            told = f"{act['at']}  {act['action']} by {act['actor']}: {act['reason']}"
            console.print(told, highlight=False, markup=False, soft_wrap=True)
        for message in messages:
            console.print(f"\n{message['sequence']} {message['type']}", style="bold", highlight=False)
            said = message["content"] or f"{message['content_base64']} (base64)"
            console.print(said, highlight=False, markup=False, soft_wrap=True)
        return True

    def retry(self, service: str, key: str, reason: str, *, as_json: bool) -> bool:
        asked = self._ask("POST", _path(service, key, "retry"), {"reason": reason})
        left = self._after(service, key, asked)
        if as_json:
            _print_json({"service": service, "key": key, "released": left is None, "waiting": left})
        elif left is None:
            Console().print(f"{key} goes on.", highlight=False)
        else:
            told = f"{key} still waits: {left['reason']}. {left['error'] or ''}"
            Console(stderr=True).print(told, style="red", highlight=False, markup=False, soft_wrap=True)
        return left is None

    def skip(self, service: str, key: str, reason: str, *, as_json: bool) -> bool:
        act = self._ask("POST", _path(service, key, "skip"), {"reason": reason})
        if as_json:
            _print_json({"service": service, **act})
        else:
            Console().print(f"{key} was taken past {act['epoch']}:{act['sequence']}.", highlight=False)
        return True

    def _after(self, service: str, key: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The key after the worker's try, or None when it waits no more."""
        deadline = time.monotonic() + _TRIED_WITHIN_S
        while True:
            answer = self.client.get(_path(service, key))
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return None
            left = _read(answer)
            tried = left["attempts"] is not None and left["attempts"] > (asked["attempts"] or 0)
            if tried or time.monotonic() > deadline:
                return left
            time.sleep(_LOOK_EVERY_S)

    def _unreadable(self, service: str) -> list[dict[str, Any]]:
        """Messages that are no events; whoever may not see them is not told of them."""
        if self.client.get(_path(service, "unreadable"), params={"limit": 1}).status_code == HTTPStatus.FORBIDDEN:
            return []
        return self._all(_path(service, "unreadable"))

    def _all(self, path: str, **filters: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = _read(self.client.get(path, params={"limit": 200, **filters, **cursor}))
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {"idempotency-key": secrets.token_hex(16)} if body is not None else {}
        return _read(self.client.request(method, path, json=body, headers=headers))


def _read(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_success:
        return orjson.loads(answer.content)
    is_json = "json" in answer.headers.get("content-type", "")
    problem: dict[str, Any] = orjson.loads(answer.content) if is_json else {}
    faults = [fault["message"] for fault in problem.get("errors", [])]
    said = [problem.get("detail") or f"The gateway answered {answer.status_code}.", *faults]
    hint = _HINTS.get(HTTPStatus(answer.status_code))
    raise CannotReach(" ".join([*said, hint] if hint else said))


def _path(*segments: str) -> str:
    return "/v1/parked-events/" + "/".join(quote(segment, safe=":") for segment in segments)


def _print_json(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(what, option=orjson.OPT_APPEND_NEWLINE))


def _show_keys(keys: list[dict[str, Any]]) -> None:
    if not keys:
        Console().print("Nothing waits.")
        return
    table = Table(show_edge=False, pad_edge=False)
    for column in ("service", "key", "waits since", "messages", "reason"):
        table.add_column(column, no_wrap=column in {"key", "waits since"}, overflow="fold")
    for key in keys:
        since = str(key["waiting_since"])[:19].replace("T", " ")
        table.add_row(key["service"], key["key"], since, str(key["messages"]), key["error"] or key["reason"])
    Console().print(table)
