"""The gateway as this command sees it: any installation's by its address, or the one that runs on this folder."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from crm_suite.allinone.home import Home
from crm_suite.complaints import Complaint, NotAllowed, NotRunning

_TIMEOUT_S = 30
_PAGE = 200
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "Give an API key that holds: --key, or CRM_KEY.",
    HTTPStatus.FORBIDDEN: "`crm keys list` shows the roles of a key, `crm keys bootstrap` makes an operator's.",
}


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """Requests to one gateway as one caller. Whatever is refused is a `Complaint` that says why."""

    http: httpx.Client

    def ask(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        """One request's answer; one that changes something has an idempotency key, so that a retry is harmless."""
        headers = {"idempotency-key": secrets.token_hex(16)} if method != "GET" else {}
        return answered(self.http.request(method, path, json=body, params=query, headers=headers))

    def all(self, path: str, **filters: str) -> list[dict[str, Any]]:
        """Every item of a list, page after page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = answered(self.http.get(path, params={"limit": _PAGE, **filters, **cursor}))
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}


@contextmanager
def connected(url: str, key: str) -> Generator[GatewayClient]:
    """A client of the gateway at `url`, or of the suite that runs on this folder.

    Raises:
        NotRunning: no suite runs here and none is named, or it doesn't answer.
    """
    home = Home.chosen()
    running = (home.running() or {}) if home.is_locked() else {}
    key = key or ("" if url else running.get("access", home.recall("access") or {}).get("api_key", ""))
    url = url or running.get("url", "")
    if not url:
        raise NotRunning(f"No suite runs on {home.folder}. Start it (`crm up`), or name a gateway: --url and --key.")
    if not key:
        raise NotAllowed(f"No API key for {url}. Give one: --key, or CRM_KEY.")
    headers = {"authorization": f"Bearer {key}", "user-agent": "crm"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S) as client:
            yield GatewayClient(client)
    except httpx.TransportError as failure:
        raise NotRunning(f"{url} does not answer ({type(failure).__name__}). Is it running? `crm doctor`") from None
    except httpx.InvalidURL:
        raise NotRunning(f"{url} is no address; --url takes one like http://127.0.0.1:8080.") from None


def answered(answer: httpx.Response) -> dict[str, Any]:
    """What a gateway answered.

    Raises:
        NotAllowed: this caller may not.
        Complaint: it refused for another reason.
    """
    if answer.is_success:
        return orjson.loads(answer.content)
    is_json = "json" in answer.headers.get("content-type", "")
    problem: dict[str, Any] = orjson.loads(answer.content) if is_json else {}
    faults = [fault["message"] for fault in problem.get("errors", [])]
    said = [problem.get("detail") or f"The gateway answered {answer.status_code}.", *faults]
    hint = _HINTS.get(HTTPStatus(answer.status_code))
    kind = NotAllowed if hint else Complaint
    raise kind(" ".join([*said, hint] if hint else said))
