"""Migrations stop nobody who writes."""

import re
from pathlib import Path

import pytest
from tests.architecture.conftest import ROOT

VERSIONS = sorted(path for path in ROOT.glob("**/versions/*_[0-9]*.py") if ".venv" not in path.parts)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.stem)
def test_an_index_of_a_table_that_is_in_use_is_built_beside_its_writers(version: Path) -> None:
    upgrade = version.read_text().partition("\ndef upgrade")[2].partition("\ndef downgrade")[0]
    made = set(re.findall(r"op\.create_table\('(\w+)'", upgrade))
    indexed = set(re.findall(r"op\.create_index\((?:op\.f\()?'\w+'\)?, '(\w+)'", upgrade))
    assert upgrade.count("op.create_index(") == len(re.findall(r"op\.create_index\((?:op\.f\()?'\w+'\)?, '", upgrade))
    assert indexed <= made, f"`op.build_index`, not `op.create_index`, for {sorted(indexed - made)}"


def test_there_are_versions() -> None:
    assert len(VERSIONS) > 10
