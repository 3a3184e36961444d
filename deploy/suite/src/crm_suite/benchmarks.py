"""`crm bench`: the benchmarks live with the tests, so a checkout is needed, with what `make setup-dev` installs."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from crm_suite.complaints import Complaint

_ROOT = Path(__file__).resolve().parents[4]


class NoCheckout(Complaint):
    """This installation came without the tests."""


def run_benchmarks(words: Sequence[str]) -> int:
    """Hand the words to the benchmarks' own command and return its exit code.

    Raises:
        NoCheckout: there are no benchmarks beside this package.
    """
    if not (_ROOT / "tests" / "bench" / "__main__.py").is_file():
        raise NoCheckout(
            "The benchmarks are part of the repository: clone it, `make setup-dev`, and run `crm bench` there."
        )
    return subprocess.run([sys.executable, "-m", "tests.bench", *words], cwd=_ROOT, check=False).returncode
