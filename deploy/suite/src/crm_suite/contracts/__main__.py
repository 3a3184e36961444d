"""`python -m crm_suite.contracts check FOLDER…`, `… release VERSION FOLDER…`: each a service's `contracts/`."""

import argparse
import re
import sys
from pathlib import Path

from crm_shared.clock import SystemClock
from crm_suite.contracts.releases import Contracts, Fault, foreign_topics


def main() -> int:
    parser = argparse.ArgumentParser(prog="contracts", description="Holds today's contracts against what was released.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="name every promise that would be broken")
    release = commands.add_parser(
        "release", help="keep today's contracts as those of a release, if they keep all promises"
    )
    release.add_argument("version", help="such as 0.2.0")
    for command in (check, release):
        command.add_argument("folders", nargs="+", type=Path)
    wanted = parser.parse_args()
    contracts = [Contracts(folder) for folder in wanted.folders]
    faults = _faults(contracts)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if faults:
        sys.stderr.write(
            f"{len(faults)} promises would be broken; CONTRIBUTING.md says more under “Changing a contract”.\n"
        )
        return 1
    if wanted.command == "release":
        _release(contracts, wanted.version)
    return 0


def _faults(contracts: list[Contracts]) -> list[Fault]:
    today = SystemClock().now().date()
    foreign = foreign_topics(contracts)
    return [fault for one in contracts for fault in one.faults(foreign=foreign, today=today)]


def _release(contracts: list[Contracts], version: str) -> None:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){2}", version):
        sys.exit(f"A release is named such as 0.2.0, not {version!r}.")
    for one in contracts:
        if version in one.releases:
            sys.exit(f"{version} was released already: {one.released} must not change; name the next one.")
        one.release(version)


if __name__ == "__main__":
    sys.exit(main())
