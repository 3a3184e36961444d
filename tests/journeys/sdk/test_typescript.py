"""The TypeScript client: `tsc --strict` takes it and what uses it, and Node runs that against the suite."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.journeys.conftest import RunningSuite

from generator.packing import TSC

from .between import standing_between
from .conftest import ROOT, Place, open_place

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(120)]

STRICT = {
    "compilerOptions": {
        "target": "ES2022",
        "module": "NodeNext",
        "strict": True,
        "skipLibCheck": True,
        "types": ["node"],
        "outDir": "out",
    },
    "include": ["*.ts"],
}


@pytest.fixture(scope="session")
async def its_place(suite: RunningSuite) -> Place:
    return await open_place(suite, "sdk-typescript")


@pytest.fixture(scope="session")
def compiled(node_project: Path) -> Path:
    """The tests and the lines of the README, compiled."""
    (lines,) = re.findall(r"```ts\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (node_project / "readme.ts").write_text(lines)
    shutil.copy(Path(__file__).parent / "client.test.ts", node_project)
    (node_project / "package.json").write_text(json.dumps({"type": "module"}))
    (node_project / "tsconfig.json").write_text(json.dumps(STRICT))
    told = subprocess.run([TSC, "-p", node_project], check=False, capture_output=True, text=True, timeout=100)
    assert told.returncode == 0, told.stdout
    return node_project / "out"


def node(*arguments: str | Path, **environment: str) -> str:
    told = subprocess.run(
        ["node", *arguments], env=os.environ | environment, check=False, capture_output=True, text=True, timeout=100
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def test_the_lines_of_the_readme_work(compiled: Path, its_place: Place) -> None:
    told = node(compiled / "readme.js", **its_place.environment)
    assert "Corkscrew Records" in told
    assert "Grace Hopper" in told


def test_it_pages_tries_again_and_tells_problems_apart(compiled: Path, its_place: Place) -> None:
    with standing_between(its_place.url) as between:
        told = node("--test", compiled / "client.test.js", BETWEEN=between.url, **its_place.environment)
    assert int(re.findall(r"# pass (\d+)", told)[0]) >= 12
    assert "# skipped 0" in told
