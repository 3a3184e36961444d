"""Which files a restore takes, and what it says of the others."""

import zipfile
from pathlib import Path

import pytest

from crm_suite.backup.archive import MANIFEST, CannotRestore, Manifest, opened, release

POSTGRES = 18


def written(path: Path, manifest: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, manifest)
        archive.writestr("more", b"x" * 10_000)
    return path


def manifest(**other: object) -> bytes:
    plain: dict[str, object] = {"made_at": "2026-01-01T00:00:00+00:00", "release": release(), "postgres": POSTGRES}
    return Manifest(**(plain | other)).to_bytes()  # type: ignore[arg-type]


def test_a_backup_of_this_version_is_taken(tmp_path: Path) -> None:
    with opened(written(tmp_path / "b", manifest()), postgres=POSTGRES) as archive:
        assert "more" in archive.namelist()


def test_an_older_one_is_taken(tmp_path: Path) -> None:
    opened(written(tmp_path / "b", manifest(release="0.0.9")), postgres=POSTGRES).close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (manifest(release="99.0.0"), "newer version (99.0.0)"),
        (manifest(format=2), "newer version"),
        (manifest(postgres=17), "PostgreSQL 17; this suite brings 18"),
        (manifest(kind="a poem"), "no backup of this suite"),
        (b'{"kind": "corkscrew backup"}', "no backup of this suite"),
        (b"[]", "no backup of this suite"),
        (b"not JSON", "no backup of this suite"),
    ],
)
def test_another_is_refused_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(CannotRestore) as refused:
        opened(written(tmp_path / "b", content), postgres=POSTGRES)
    assert said in str(refused.value)


def test_a_torn_off_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "b", manifest())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CannotRestore, match="no backup, or a damaged one"):
        opened(path, postgres=POSTGRES)


def test_a_zip_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(CannotRestore, match="no backup of this suite"):
        opened(tmp_path / "b", postgres=POSTGRES)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CannotRestore, match="no file"):
        opened(tmp_path / "b", postgres=POSTGRES)
