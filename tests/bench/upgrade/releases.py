"""Two releases of the code side by side: this tree's, and the one that a running installation has.

That one is the newest tag `v…` among this commit's ancestors. Where nothing has been tagged yet, it is the commit
before the newest migration: the shortest way back over which old code meets a schema it doesn't know.
`CRM_UPGRADE_FROM` names another.
"""

import io
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
_PARTS = ("shared", "gateway", "services", "deploy/suite")


class NoReleaseBefore(Exception):
    """There is no earlier code to upgrade from; the text says why."""


@dataclass(frozen=True, slots=True)
class Release:
    """Code that processes are started from."""

    name: str
    tree: Path

    @property
    def sources(self) -> str:
        """What goes before everything that is installed, so that this tree's packages are the ones imported."""
        return os.pathsep.join(
            str(path) for path in sorted(self.tree.glob("*/src")) + sorted(self.tree.glob("*/*/src"))
        )

    def command(self, package: str, *words: str) -> list[str]:
        return [sys.executable, "-m", package, *words]

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        return inherited | settings | {"PYTHONPATH": self.sources, "PYTHONDONTWRITEBYTECODE": "1"}


def this_release() -> Release:
    return Release("new", ROOT)


def release_before(folder: Path) -> Release:
    """The earlier code, laid down in `folder`.

    Raises:
        NoReleaseBefore: the history doesn't reach back far enough, or is not there.
    """
    commit = commit_before()
    archive = _git("archive", "--format=tar", commit, *_PARTS)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return Release("old", folder)


def commit_before() -> str:
    """Which commit that is, by the rule above."""
    try:
        given = os.environ.get("CRM_UPGRADE_FROM")
        if given:
            return _text("rev-parse", "--verify", f"{given}^{{commit}}")
        head = _text("rev-parse", "HEAD")
        for tag in _text("tag", "--merged", "HEAD", "--list", "v*", "--sort=-creatordate").split():
            if _text("rev-parse", f"{tag}^{{commit}}") != head:
                return tag
        newest = _text("log", "-1", "--diff-filter=A", "--format=%H", "--", "*/versions/*.py")
        return _text("rev-parse", "--verify", f"{newest}^1")
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        raise NoReleaseBefore(f"a shallow clone, or none: {told.decode(errors='replace').strip()[-200:]}") from error


def _text(*words: str) -> str:
    return _git(*words).decode().strip()


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout
