"""The same document gives the same clients, and every operation is a method of both."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from tests.journeys.sdk.conftest import DOCUMENT, METHODS, generate

from generator.document import Document, read
from generator.python import PythonClient
from generator.rendering import Templates
from generator.shapes import Unsupported
from generator.typescript import TypeScriptClient

READ = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Note"}}}}}


def tiny(note: object, **operation: object) -> Document:
    """A document with one operation that answers with a note."""
    told = {"operationId": "notes_get", "summary": "Get", "tags": ["notes"], "responses": READ, **operation}
    word = {"type": "object", "properties": {"word": {"type": "string"}}}
    schemas = {"Note": note, "A": word, "B": word, "Problem": word, "OperationRead": word}
    return read({"paths": {"/v1/notes": {"get": told}}, "components": {"schemas": schemas}})


def checksums(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and "src" in path.parts]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_it_writes_the_same_files_each_time(generated: Path, tmp_path: Path) -> None:
    generate(tmp_path)
    again = checksums(tmp_path)
    assert len(again) > 100
    assert again == checksums(generated)


def test_every_operation_is_a_method_of_each_client(generated: Path) -> None:
    document = json.loads(DOCUMENT.read_bytes())
    count = sum(len(METHODS & set(item)) for item in document["paths"].values())
    python = "".join(path.read_text() for path in (generated / "python/src/corkscrew/resources").glob("*.py"))
    typescript = "".join(path.read_text() for path in (generated / "typescript/src/resources").glob("*.ts"))
    assert len(re.findall(r"^    (?:async )?def \w+\(", python, re.MULTILINE)) == 2 * count
    assert len(re.findall(r"^    return this\._", typescript, re.MULTILINE)) == count


UNION = {"anyOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"note": {"type": "object", "properties": {"x": UNION}}}, "one of several objects"),
        ({"note": {"type": "object", "properties": {"x": {"type": "object", "properties": {}}}}}, "without a name"),
        ({"note": {"type": "object", "properties": {}}, "operationId": "fetch"}, "doesn't start with its tag"),
    ],
)
def test_what_would_make_a_poor_client_is_refused(document: dict[str, object], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        list(PythonClient(tiny(**document), Templates()).files())


def test_a_growing_list_is_open_to_read_and_named_words_are_closed_to_write() -> None:
    grows = {"type": "string", "x-extensible-enum": ["new", "old"]}
    document = tiny(
        {"type": "object", "properties": {"state": grows}, "required": ["state"]},
        parameters=[{"in": "query", "name": "state", "schema": {"enum": ["new", "old"]}}],
    )
    python = dict(PythonClient(document, Templates()).files())
    typescript = dict(TypeScriptClient(document, Templates()).files())
    assert "state: Literal['new', 'old'] | str" in python[Path("models.py")]
    assert "state: Literal['new', 'old'] | Omit = OMIT" in python[Path("resources/notes.py")]
    assert 'state: "new" | "old" | (string & {});' in typescript[Path("models.ts")]
    assert 'state?: "new" | "old";' in typescript[Path("resources/notes.ts")]
