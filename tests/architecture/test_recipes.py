"""CONTRIBUTING's recipes, followed to the letter on a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import PACKAGES, ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = TEXT[TEXT.index("## Recipes") : TEXT.index("### Before you push")]
STEP = re.compile(
    r"(?:A\s+new\s+file|In)\s+`(?P<path>[^`]+)`(?:,\s+(?P<how>below|instead\s+of)\s+`(?P<place>[^`]+)`)?:\n\n"
    r"```python\n(?P<code>.*?)```|Run:\n\n```sh\n(?P<shell>.*?)```",
    re.DOTALL,
)


def follow(copy: Path, step: re.Match[str]) -> None:
    """Do what one step says."""
    if step["shell"]:
        subprocess.run(step["shell"], shell=True, check=True, cwd=copy, env=environment(copy), capture_output=True)
        return
    path = copy / step["path"]
    if step["how"] is None:
        assert not path.exists(), f"{step['path']} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step["code"], encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines(keepends=True) if step["place"] in line]
    assert lines, f"{step['path']} has no line with {step['place']!r}"
    (line, *_) = lines  # where several lines are alike, the first is meant
    new = line + step["code"] if step["how"] == "below" else step["code"]
    path.write_text(text.replace(line, new, 1), encoding="utf-8")


def environment(copy: Path) -> dict[str, str]:
    sources = [str(copy), *(str(copy / folder / "src") for folder in PACKAGES.values())]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": os.pathsep.join(sources), "PATH": programs}


@pytest.fixture
def copy(tracked_files: list[Path], tmp_path: Path) -> Path:
    for path in tracked_files:
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    return tmp_path


def run(copy: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, env=environment(copy), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_block_of_the_recipes_is_a_step_that_is_followed() -> None:
    assert len(list(STEP.finditer(RECIPES))) == RECIPES.count("```") // 2 > 20


def test_whoever_follows_the_recipes_has_a_field_an_event_and_a_slice_that_work(copy: Path) -> None:
    written: list[str] = []
    for step in STEP.finditer(RECIPES):
        follow(copy, step)
        written += [step["path"]] if step["path"] else []
    new = [path for path in dict.fromkeys(written) if not (ROOT / path).exists() and "/test_" in path]
    assert len(new) == 3
    run(copy, "ruff", "check", *dict.fromkeys(written))
    run(copy, "ruff", "format", "--check", *dict.fromkeys(written))
    run(copy, "crm_sales_pipeline", "contracts", "services/sales-pipeline/contracts")
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture/test_slices.py", *new)
