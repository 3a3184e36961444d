"""`python -m generator DOCUMENT FOLDER [--pack]`: writes both clients, whole, below the folder; and packs them."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from generator import packing
from generator.document import read
from generator.python import PythonClient
from generator.rendering import Templates
from generator.typescript import TypeScriptClient

WRITTEN_BY_HAND = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path, help="the merged OpenAPI document")
    parser.add_argument("folder", type=Path, help="where the clients are to lie")
    parser.add_argument("--pack", action="store_true", help="also a wheel and a package for npm")
    wanted = parser.parse_args()
    folder: Path = wanted.folder.resolve()
    generate(wanted.document, folder)
    if wanted.pack:
        show("Python", "pip install", packing.wheel(folder))
        show("TypeScript", "npm install", packing.npm_package(folder))


def generate(document: Path, folder: Path) -> None:
    told = read(json.loads(document.read_bytes()))
    templates = Templates()
    write(folder, "python", Path("src/corkscrew"), PythonClient(told, templates).files())
    tidy(folder / "python/src")
    write(folder, "typescript", Path("src"), TypeScriptClient(told, templates).files())


def write(folder: Path, client: str, inside: Path, made: Iterable[tuple[Path, str]]) -> None:
    """The files written by hand, and those made, in a fresh folder."""
    target = folder / client
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(WRITTEN_BY_HAND / client, target, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in made:
        file = target / inside / path
        if file.exists():
            sys.exit(f"{file} is written by hand and would be made, too")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def tidy(sources: Path) -> None:
    """Unused imports out, long lines folded; whatever is configured around the folder."""
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    for command in (["check", "--fix", "--select", "F401,I"], ["format", "--line-length", "120"]):
        subprocess.run([ruff, *command, "--isolated", "--no-cache", "--quiet", sources], check=True)


def show(language: str, install: str, package: Path | None) -> None:
    told = f"{install} {os.path.relpath(package)}" if package else "Node isn't here, which it is compiled with"
    print(f"{language:10}  {told}")


if __name__ == "__main__":
    main()
