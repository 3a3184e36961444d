"""Sets the workspace up on a machine that has Python and nothing else; `make` calls it before everything it does.

Standard library only. What is up to date is left alone, so that the second call costs a few milliseconds: a stamp in
the virtual environment keeps the hash of every requirements file, of Node's lock, and of the seven distributions as
installed.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "corkscrew-installed.json"
DISTRIBUTIONS = (
    "shared",
    "gateway",
    "services/customer",
    "services/sales-pipeline",
    "services/communication-dispatch",
    "services/contact-center",
    "deploy/suite",
)
OLDEST = (3, 11)
NODE = ROOT / "deploy" / "node"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="also the purchase data that `make demo` plays")
    parser.add_argument("--dev", action="store_true", help="also what tests and linters need")
    wanted = parser.parse_args()
    if sys.version_info < OLDEST:
        print(
            f"Corkscrew needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11 run"
        )
        return 1
    make_environment()
    # The development file holds the runtime's pins too; installing it never moves them, so one stamp each is enough.
    install("packages", "requirements.txt")
    if wanted.dev:
        install("development packages", "requirements-dev.txt")
        install("another SDK generator, to compare with", "requirements-peer.txt", "--no-deps")
        install_node_tools()
    if wanted.demo:
        install("purchase data of the demo", "requirements-demo.txt", "--no-deps")
    install_ours()
    return 0


def make_environment() -> None:
    if python().exists():
        return
    started = time.monotonic()
    say("virtual environment .venv")
    try:
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
    except (subprocess.CalledProcessError, OSError) as failure:
        sys.exit(
            f"\nCould not make a virtual environment ({failure}).\nOn Debian and Ubuntu: apt-get install python3-venv"
        )
    done(started)


def install(what: str, file: str, *options: str) -> None:
    path = ROOT / file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if stamps().get(file) != digest:
        pip(what, "--require-hashes", *options, "-r", str(path))
        stamp(file, digest)


def install_node_tools() -> None:
    """What checks contracts and the TypeScript client; the suite itself runs without Node."""
    digest = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()
    if stamps().get("node") == digest and (NODE / "node_modules").is_dir():
        return
    npm = shutil.which("npm")
    if npm is None:
        missing = "Node isn't here, which lints contracts and compiles the TypeScript client; install Node 20 or newer."
        if os.environ.get("CI"):
            sys.exit(missing)
        print(f"  {missing}")
        return
    run("tools that run on Node", [npm, "ci", "--silent"], NODE)
    stamp("node", digest)


def install_ours() -> None:
    definitions = b"".join((ROOT / folder / "pyproject.toml").read_bytes() for folder in DISTRIBUTIONS)
    digest = hashlib.sha256(definitions + str(ROOT).encode()).hexdigest()
    if stamps().get("distributions") == digest:
        return
    editable = [part for folder in DISTRIBUTIONS for part in ("--editable", str(ROOT / folder))]
    pip("the seven distributions", "--no-deps", "--no-build-isolation", *editable)
    stamp("distributions", digest)


def pip(what: str, *arguments: str) -> None:
    run(what, [str(python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments], ROOT)


def run(what: str, command: list[str], folder: Path) -> None:
    started = time.monotonic()
    say(what)
    if subprocess.run(command, cwd=folder, check=False).returncode:
        sys.exit(f"\nInstalling {what} failed; the installer's own words are above.")
    done(started)


def python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def stamps() -> dict[str, str]:
    return json.loads(STAMP.read_text()) if STAMP.exists() else {}


def stamp(name: str, digest: str) -> None:
    STAMP.write_text(json.dumps(stamps() | {name: digest}, indent=1))


def say(what: str) -> None:
    print(f"  installing {what} … ", end="", flush=True)


def done(started: float) -> None:
    print(f"{time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
