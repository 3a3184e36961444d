"""What `crm events parked` does: a client of the gateway, like any other operator's."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from crm_suite.complaints import Complaint, NotAllowed
from crm_suite.gateway_client import GatewayClient, answered
from crm_suite.output import complain, moment, say, show_json, show_table
from crm_suite.topology import NAMES

_TRIED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Parked:
    """The routes under /v1/parked-events, and how their answers are shown. Each act says whether it was done."""

    gateway: GatewayClient

    def show_list(self, service: str, *, as_json: bool) -> bool:
        keys: list[dict[str, Any]] = []
        silent: list[str] = []
        for name in [service] if service else NAMES:
            try:
                keys += [{"service": name, **one} for one in self.gateway.all(_path(name))]
                keys += [{"service": name, **one} for one in self._unreadable(name)]
            except NotAllowed:
                raise
            except Complaint as reason:
                if service:
                    raise
                silent.append(f"{name}: {reason}")
        if as_json:
            show_json({"items": keys, "silent": silent})
        else:
            _show_keys(keys)
        for line in silent:
            complain(line)
        return not silent

    def show_key(self, service: str, key: str, *, content: bool, as_json: bool) -> bool:
        shown = self._waiting(service, key)
        acts = self.gateway.all(_path(service, "audit"), key=key)
        messages = self.gateway.all(_path(service, key, "messages")) if content else []
        if as_json:
            show_json({**shown, "service": service, "acts": acts, "messages": messages})
            return True
        for name, value in shown.items():
            say(f"{name.replace('_', ' '):14} {value}")
        for act in acts:
            say(f"{act['at']}  {act['action']} by {act['actor']}: {act['reason']}")
        for message in messages:
            say(f"\n{message['sequence']} {message['type']}", style="bold")
            say(message["content"] or f"{message['content_base64']} (base64)")
        return True

    def retry(self, service: str, key: str, reason: str, *, as_json: bool) -> bool:
        self._waiting(service, key)
        asked = self.gateway.ask("POST", _path(service, key, "retry"), {"reason": reason})
        left = self._after(service, key, asked)
        if as_json:
            show_json({"service": service, "key": key, "released": left is None, "waiting": left})
        elif left is None:
            say(f"{key} goes on.")
        else:
            complain(f"{key} still waits: {left['reason']}. {left['error'] or ''}")
        return left is None

    def skip(self, service: str, key: str, reason: str, *, as_json: bool) -> bool:
        self._waiting(service, key)
        act = self.gateway.ask("POST", _path(service, key, "skip"), {"reason": reason})
        if as_json:
            show_json({"service": service, **act})
        else:
            say(f"{key} was taken past {act['epoch']}:{act['sequence']}.")
        return True

    def _waiting(self, service: str, key: str) -> dict[str, Any]:
        """The key, or a complaint that tells how to find the right one."""
        answer = self.gateway.http.get(_path(service, key))
        if answer.status_code == HTTPStatus.NOT_FOUND and service in NAMES:
            raise Complaint(f"Nothing waits under {key} in {service}. `crm events parked list` shows what does.")
        return answered(answer)

    def _after(self, service: str, key: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The key after the worker's try, or None when it waits no more."""
        deadline = time.monotonic() + _TRIED_WITHIN_S
        while True:
            answer = self.gateway.http.get(_path(service, key))
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return None
            left = answered(answer)
            tried = left["attempts"] is not None and left["attempts"] > (asked["attempts"] or 0)
            if tried or time.monotonic() > deadline:
                return left
            time.sleep(_LOOK_EVERY_S)

    def _unreadable(self, service: str) -> list[dict[str, Any]]:
        """Messages that are no events; whoever may not see them is not told of them."""
        try:
            return self.gateway.all(_path(service, "unreadable"))
        except NotAllowed:
            return []


def _path(*segments: str) -> str:
    return "/v1/parked-events/" + "/".join(quote(segment, safe=":") for segment in segments)


def _show_keys(keys: list[dict[str, Any]]) -> None:
    if not keys:
        say("Nothing waits.")
        return
    columns = ("service", "key", "waits since", "messages", "reason")
    rows = [
        (key["service"], key["key"], moment(key["waiting_since"]), str(key["messages"]), key["error"] or key["reason"])
        for key in keys
    ]
    show_table(columns, rows, whole=("key", "waits since"))
