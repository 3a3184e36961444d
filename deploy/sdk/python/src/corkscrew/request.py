"""One request, from its first try to its last: everything about it that needs no network."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

from corkscrew.errors import ApiError, ConnectionFailed, TimedOut, error_of
from corkscrew.retries import Retries, asked_wait_s, may_pass
from corkscrew.values import State, etag, to_json, to_query

HERE = "http://127.0.0.1:8080"
"""Where `make run` listens."""


def _own_version() -> str:
    try:
        return version("corkscrew-crm")
    except PackageNotFoundError:  # run from its source
        return "0"


_USER_AGENT = f"corkscrew-python/{_own_version()}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach the API."""

    url: str
    api_key: str | None
    timeout_s: float
    retries: Retries

    @classmethod
    def of(cls, url: str | None, api_key: str | None, timeout_s: float, retries: Retries) -> "Settings":
        """What isn't given is taken from `CRM_URL` and `CRM_API_KEY`."""
        found = url or os.environ.get("CRM_URL") or HERE
        return cls(found.rstrip("/"), api_key or os.environ.get("CRM_API_KEY"), timeout_s, retries)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask."""

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict[str, object])
    body: object = None
    content_type: str = "application/json"
    repeatable: bool = True
    key: str | None = None
    state: State | None = None
    timeout_s: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])

    def arguments(self, settings: Settings) -> dict[str, Any]:
        """What httpx takes; made once, so every try carries the same idempotency key and the same bytes."""
        headers = {"user-agent": _USER_AGENT, "accept": "application/json", **self.extra}
        if settings.api_key:
            headers["authorization"] = f"Bearer {settings.api_key}"
        if self.method != "GET":
            headers["idempotency-key"] = self.key or str(uuid.uuid4())
        if self.state is not None:
            headers["if-match"] = etag(self.state)
        content = None
        if self.body is not None:
            headers["content-type"] = self.content_type
            content = self.body if isinstance(self.body, bytes) else json.dumps(to_json(self.body)).encode()
        return {
            "method": self.method,
            "url": settings.url + self.path,
            "params": to_query(self.query),
            "headers": headers,
            "content": content,
            "timeout": self.timeout_s or settings.timeout_s,
        }


class Tries:
    """Counts the tries of a request, and says after each whether there is another."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self.arguments = request.arguments(settings)
        self._request = request
        self._settings = settings
        self._attempt = 0

    def wait_after_answer_s(self, response: httpx.Response) -> float | None:
        """None when it is the answer to give; else how long to wait. Raises the typed error when it was the last."""
        self._attempt += 1
        if response.status_code < 400:
            return None
        error = refusal(response)
        if not may_pass(error.status, error.code, repeatable=self._request.repeatable):
            raise error
        wait_s = self._settings.retries.wait_s(self._attempt, error.retry_after)
        if wait_s is None:
            raise error
        return wait_s

    def wait_after_failure_s(self, failure: httpx.TransportError) -> float:
        """How long to wait. Raises when it was the last try, or when a second one could do the thing twice."""
        self._attempt += 1
        wait_s = self._settings.retries.wait_s(self._attempt, None) if self._request.repeatable else None
        if wait_s is None or isinstance(failure, httpx.UnsupportedProtocol):
            kind = TimedOut if isinstance(failure, httpx.TimeoutException) else ConnectionFailed
            asked = f"{self._request.method} {self._settings.url}{self._request.path}"
            raise kind(f"{asked}: {failure or type(failure).__name__} (tries: {self._attempt})") from failure
        return wait_s

    def succeeded(self) -> None:
        """For what goes on for ever: the next failure is a first one again."""
        self._attempt = 0


def refusal(response: httpx.Response) -> ApiError:
    return error_of(
        response.status_code,
        response.content,
        retry_after=asked_wait_s(response.headers),
        request_id=response.headers.get("x-request-id", ""),
    )
