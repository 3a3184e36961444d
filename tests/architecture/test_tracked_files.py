"""Nothing of one machine is in the repository: no registry's address, no path of a home directory, no secrets."""

import json
import re
from pathlib import Path

from .conftest import ROOT

# Written in two halves, so that this file isn't its own first find.
REGISTRIES = (
    "py_pi.org files.python_hosted.org registry.npm_js.org crates_.io repo1.mav_en.org repo.mav_en.apache.org "
    "proxy.gol_ang.org deb.deb_ian.org"
)
FORBIDDEN = {
    "a registry's address": re.compile(REGISTRIES.replace("_", "").replace(".", r"\.").replace(" ", "|")),
    "a path of one machine": re.compile(r"(?<![\w.])/(work|home/\w+|root|Users/\w+)/\w"),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIV" + "ATE KEY-----"),
}
LOCKS = re.compile(r"requirements[a-z-]*\.txt$")


def readable(files: list[Path]) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for path in files:
        try:
            found.append((path.relative_to(ROOT), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # pictures
    return found


def test_no_tracked_file_speaks_of_one_machine(tracked_files: list[Path]) -> None:
    found = [
        f"{path}: {what} ({match[0]})"
        for path, text in readable(tracked_files)
        for what, pattern in FORBIDDEN.items()
        if (match := pattern.search(text))
    ]
    assert not found


def test_requirements_are_pinned_hashed_and_without_address(tracked_files: list[Path]) -> None:
    locks = [(path, text) for path, text in readable(tracked_files) if LOCKS.search(path.name)]
    assert {path.name for path, _ in locks} == {
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-demo.txt",
        "requirements-peer.txt",
    }
    for path, text in locks:
        lines = [line for line in text.splitlines() if line and not line.startswith("    --hash=sha256:")]
        assert [line for line in lines if "==" not in line or "://" in line] == [], path


def test_nodes_lock_pins_and_hashes_every_package_without_an_address() -> None:
    lock = json.loads((ROOT / "deploy" / "node" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if not {"version", "integrity"} <= package.keys()] == []


def test_no_large_file_is_tracked(tracked_files: list[Path]) -> None:
    assert [str(path) for path in tracked_files if path.stat().st_size > 2_000_000] == []


def test_top_level_folders_are_the_agreed_ones(tracked_files: list[Path]) -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked_files if len(path.relative_to(ROOT).parts) > 1}
    assert folders <= {".ci", "deploy", "docs", "gateway", "services", "shared", "tests"}
