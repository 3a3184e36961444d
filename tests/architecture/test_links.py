"""Links in the documents lead somewhere: to a file, and where they name a heading or a line, to that too."""

import re
from pathlib import Path

from .conftest import ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """As GitHub and GitLab make them."""
    plain = (re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in plain}


def broken(document: Path, target: str) -> bool:
    file, _, fragment = target.partition("#")
    path = (document.parent / file).resolve() if file else document
    if not path.exists() or not path.is_relative_to(ROOT):
        return True
    if not fragment:
        return False
    text = path.read_text(encoding="utf-8")
    if line := re.fullmatch(r"L(\d+)", fragment):
        return int(line[1]) > text.count("\n")
    return fragment not in anchors(text)


def test_every_link_of_the_documents_resolves(tracked_files: list[Path]) -> None:
    found = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in tracked_files
        if document.suffix == ".md"
        for target in LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8")))
        if not re.match(r"[a-z][a-z0-9+.-]*:", target) and broken(document, target)
    ]
    assert not found


def test_the_walk_in_the_readme_opens_each_file_once() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for title in ("One request, followed", "One event, followed"):
        section = readme.partition(f"### {title}")[2].partition("\n#")[0]
        files = [target.partition("#")[0] for target in LINK.findall(section)]
        assert len(files) >= 5, title
        assert len(files) == len(set(files)), title


def test_the_walk_names_what_stands_in_the_files() -> None:
    """A link text in backticks is a name that the linked file really holds."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, target in re.findall(r"\[`([\w.]+)`\]\(([^)\s]+\.py)\)", readme):
        assert name.split(".")[-1] in (ROOT / target).read_text(encoding="utf-8"), f"{name} is not in {target}"
