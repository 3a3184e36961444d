"""Makes of the generated sources what is installed: a wheel, and a package for npm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TSC = Path(__file__).parents[2] / "node/node_modules/.bin/tsc"


def wheel(folder: Path) -> Path:
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], folder / "python")
    return _newest(folder, "*.whl")


def npm_package(folder: Path) -> Path | None:
    """Compiled and packed; nothing where Node isn't, as `make setup-dev` says, too."""
    npm = shutil.which("npm")
    if npm is None or not TSC.exists():
        if os.environ.get("CI"):
            sys.exit("Node isn't here, which the TypeScript client is compiled with.")
        return None
    _run([str(TSC), "-p", "."], folder / "typescript")
    _run([npm, "pack", "--silent", "--pack-destination", str(folder)], folder / "typescript")
    return _newest(folder, "*.tgz")


def _newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
