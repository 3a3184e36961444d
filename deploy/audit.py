"""Looks at what the suite runs on: licences, a bill of materials, known vulnerabilities. `make audit` calls it.

1 = a licence that nobody has agreed to, or a known vulnerability. A vulnerability database that can't be reached is
said and fails nothing, since no answer says nothing about the packages.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BILL = ROOT / "build" / "sbom.cdx.json"
RUNTIME = ("requirements.txt", "requirements-demo.txt")
# As packages name them, without parentheses.
AGREED = (
    r"MIT( License|-0)?",
    r"Apache(-2\.0| Software License)",
    r"(BSD-[23]-Clause|3-Clause BSD License|BSD License)",
    r"ISC( License ISCL)?",
    r"(PSF-2\.0|Python Software Foundation License)",
    r"The Unlicense Unlicense",
    # Copyleft per file: what we only use, unchanged, asks nothing of what is ours.
    r"(MPL-2\.0|Mozilla Public License 2\.0 MPL 2\.0)",
)


def main() -> int:
    failed = [what for what, holds in (("licences", licences()), ("vulnerabilities", vulnerabilities())) if not holds]
    write_bill()
    if failed:
        print(f"audit: {' and '.join(failed)} need a decision")
    return 1 if failed else 0


def licences() -> bool:
    """Print how many packages have which licence, and name those that nobody has agreed to."""
    packages = json.loads(tool("piplicenses", "--from=mixed", "--format=json", "--with-system", "-p", *pinned()).stdout)
    strange = [package for package in packages if not agreed(package["License"])]
    for package in strange:
        print(f"licence: {package['Name']} {package['Version']} is under {package['License']!r}; not agreed to")
    print(f"licences: {len(packages)} packages, {len(packages) - len(strange)} under agreed ones")
    return not strange


def agreed(licence: str) -> bool:
    """Whether we may pass this on: every part of a conjunction is agreed to, one part of a choice is enough."""
    # Parentheses only group or stand in a name (`ISC License (ISCL)`); no expression here nests deeper.
    every = re.split(r" AND |; ", re.sub(r"[()]", "", licence))
    return all(any(re.fullmatch("|".join(AGREED), one) for one in part.split(" OR ")) for part in every)


def vulnerabilities() -> bool:
    """Print known vulnerabilities, or that nobody could be asked."""
    asked = tool("pip_audit", "--disable-pip", "-r", str(ROOT / "requirements.txt"), "--format=json", check=False)
    found: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"] if asked.stdout.strip() else []
    known = [package for package in found if "vulns" in package]
    if not known:
        print("vulnerabilities: not looked up, the database can't be reached from here")
        return True
    bad = [(package, each) for package in known for each in package["vulns"]]
    for package, each in bad:
        fixed = ", ".join(each["fix_versions"]) or "no version yet"
        print(f"vulnerability: {package['name']} {package['version']}: {each['id']}, mended in {fixed}")
    print(f"vulnerabilities: {len(bad)} in {len(known)} packages looked up, {len(found) - len(known)} unknown there")
    return not bad


def write_bill() -> None:
    """Write the bill of materials (CycloneDX) of what `make run` installs, with every file's hash."""
    BILL.parent.mkdir(exist_ok=True)
    tool(
        "cyclonedx_py",
        "requirements",
        str(ROOT / "requirements.txt"),
        "--output-reproducible",
        "--no-validate",
        "-o",
        str(BILL),
    )
    parts = json.loads(BILL.read_text())["components"]
    print(f"bill of materials: {len(parts)} components in {BILL.relative_to(ROOT)}")


def pinned() -> list[str]:
    """Names of the packages that run in production or in the demo."""
    lines = [line for file in RUNTIME for line in (ROOT / file).read_text().splitlines()]
    return [found[1] for line in lines if (found := re.match(r"([\w.-]+)==", line))]


def tool(module: str, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", module, *arguments], check=check, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
