"""What the gateway shows to anybody: the merged document, the docs page with its own assets, and health."""

import hashlib
import html
import re
from collections.abc import Awaitable, Mapping
from importlib.resources import files
from typing import TypeAlias

import orjson

from crm_gateway.openapi.domain.merging import Document
from crm_shared.observability.health import OK, Check, examined, is_well
from crm_shared.observability.logs import logger

Page: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]
_log = logger("gateway")

# Swagger UI styles elements in line; scripts come from this origin only, and nothing is loaded from anywhere else.
_DOCS_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HTML = b"text/html; charset=utf-8"
_ASSETS = {
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui.css": b"text/css; charset=utf-8",
    "LICENSE": b"text/plain; charset=utf-8",
    "NOTICE": b"text/plain; charset=utf-8",
}
_PROBLEM = re.compile(r"/problems/([a-z0-9_]{1,64})")

_DOCS = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Corkscrew API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# `validatorUrl: null`: Swagger UI would otherwise send the document's address to a public checker.
_START = b"""SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  docExpansion: "none", filter: true, tryItOutEnabled: true, persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis]
});
"""


class OpenPages:
    """The pages by their path; implements the door's `Pages`."""

    def __init__(self, document: Document, *, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._fixed: dict[str, Page] = {
            "/openapi.json": _page(b"application/json", orjson.dumps(document)),
            "/docs": _page(_HTML, _DOCS),
            "/docs/start.js": _page(_ASSETS["swagger-ui-bundle.js"], _START),
            "/livez": _page(b"text/plain; charset=utf-8", b"ok\n"),
        }
        for name, kind in _ASSETS.items():
            self._fixed[f"/docs/{name}"] = _page(kind, _asset(name), cached=True)
        self._problems = _problem_texts(document)
        self._unwell = ""

    def find(self, method: str, path: str) -> Awaitable[Page] | None:
        """The page at `path`, if there is one."""
        if path.startswith("/v1/") or method not in ("GET", "HEAD"):
            return None
        fixed = self._fixed.get(path)
        if fixed is not None:
            return _now(fixed)
        if path == "/readyz":
            return self._readiness()
        problem = _PROBLEM.fullmatch(path)
        return _now(_problem_page(problem[1], self._problems)) if problem else None

    async def _readiness(self) -> Page:
        """Only what is ours. A service that is down makes nobody else unready; outside, a part's name has to do."""
        parts = await examined(self._checks)
        if is_well(parts):
            return _page(b"text/plain; charset=utf-8", b"ok\n")
        unwell = ", ".join(name for name, answer in parts.items() if answer != OK)
        if unwell != self._unwell:
            _log.warning("not_ready", parts=parts)
        self._unwell = unwell
        return 503, [(b"content-type", b"text/plain; charset=utf-8")], f"not ready: {unwell}\n".encode()


async def _now(page: Page) -> Page:
    return page


def _page(kind: bytes, body: bytes, *, cached: bool = False) -> Page:
    headers = [(b"content-type", kind), (b"etag", f'"{hashlib.sha256(body).hexdigest()[:20]}"'.encode())]
    if kind == _HTML:
        headers.append((b"content-security-policy", _DOCS_POLICY))
    headers.append((b"cache-control", b"public, max-age=3600" if cached else b"no-cache"))
    return 200, headers, body


def _asset(name: str) -> bytes:
    return files("crm_gateway.openapi").joinpath("assets", "swagger-ui", name).read_bytes()


def _problem_texts(document: Document) -> dict[str, str]:
    """Texts about problems that documents bring along: `x-problems` maps a code to a sentence."""
    found: dict[str, str] = document.get("x-problems", {})
    return found


def _problem_page(code: str, texts: dict[str, str]) -> Page:
    about = html.escape(texts.get(code, "The answer's detail says what went wrong and how to mend it."))
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{code}</title>'
        f'<h1>{code}</h1><p>{about}</p><p><a href="/docs">All addresses and their answers</a></p></html>'
    )
    return _page(_HTML, body.encode())
