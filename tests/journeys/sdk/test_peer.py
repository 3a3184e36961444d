"""Whoever prefers another generator gets a whole client from the document, and no warning."""

import json
import subprocess
import sys
from pathlib import Path

from tests.journeys.sdk.conftest import DOCUMENT, METHODS

BYTES = ["text/csv", "application/jsonl", "application/x-ndjson", "message/rfc822"]
"""Files, to this generator, are only octet streams; that it is told so is the one thing it needs."""


def test_openapi_python_client_digests_every_operation_without_a_warning(tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "content_type_overrides": dict.fromkeys(BYTES, "application/octet-stream"),
        "post_hooks": [],
    }
    (tmp_path / "config.yml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", DOCUMENT, "--meta", "none"]
    told = subprocess.run(
        [*command, "--config", tmp_path / "config.yml", "--output-path", tmp_path / "client", "--fail-on-warning"],
        check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert (told.stdout + told.stderr).strip() == f"Generating {tmp_path / 'client'}"
    document = json.loads(DOCUMENT.read_bytes())
    operations = {item[method]["operationId"] for item in document["paths"].values() for method in METHODS & set(item)}
    made = {path.stem for path in (tmp_path / "client/api").rglob("*.py") if path.stem != "__init__"}
    assert made == operations
