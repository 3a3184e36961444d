"""Each of our own lint rules refuses what it is there to refuse."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SPECTRAL = ROOT / "deploy" / "node" / "node_modules" / ".bin" / "spectral"
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None and not os.environ.get("CI"), reason="Node isn't here; CI has it"
)

PAGE = {"type": "object", "properties": {"nextCursor": {}, "next_cursor": {"type": "string"}}}
BAD_HTTP: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Bad", "version": "1"},
    "paths": {
        "/v1/bad_names": {
            "get": {
                "operationId": "listBadNames",
                "summary": "Ends with a full stop.",
                "tags": ["one", "two"],
                "deprecated": True,
                "parameters": [{"name": "sortBy", "in": "query", "schema": {"type": "string"}}],
                "responses": {
                    "200": {
                        "description": "",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
                    },
                    "404": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}},
                },
            },
            "put": {"x-required-scope": "names:write", "responses": {"204": {"description": ""}}},
        }
    },
    "components": {"schemas": {"Page": PAGE}},
}
BAD_EVENTS: dict[str, Any] = {
    "asyncapi": "3.0.0",
    "info": {"title": "Bad", "version": "1"},
    "channels": {"bad": {"address": "Bad.Topic", "messages": {"m": {"payload": {"type": "object"}}}}},
}


def test_every_rule_of_ours_has_teeth(tmp_path: Path) -> None:
    documents = {"openapi.json": BAD_HTTP, "asyncapi.json": BAD_EVENTS}
    for name, document in documents.items():
        (tmp_path / name).write_text(json.dumps(document))
    rules = set(re.findall(r"^  (crm-[a-z-]+):", (ROOT / ".spectral.yaml").read_text(), re.MULTILINE))
    command = [SPECTRAL, "lint", "--ruleset", ROOT / ".spectral.yaml", "--format", "json", "--quiet", *documents]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 1, said.stderr
    assert rules - {found["code"] for found in json.loads(said.stdout)} == set()
