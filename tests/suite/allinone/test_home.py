import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crm_suite.allinone.home import AlreadyRunning, Home


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    assert Home(tmp_path).keys() == Home(tmp_path).keys()
    assert Home(tmp_path).keys() != Home(tmp_path / "other").keys()


def test_a_folder_of_an_older_version_keeps_its_keys_and_gets_what_it_lacks(tmp_path: Path) -> None:
    keys = Home(tmp_path).keys()
    kept = json.loads((tmp_path / "keys.json").read_text())
    del kept["webhook_keys"]
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    later = Home(tmp_path).keys()
    assert (later.signing_key, later.cursor_secret, later.link_secret) == (
        keys.signing_key, keys.cursor_secret, keys.link_secret,
    )  # fmt: skip
    assert len(later.webhook_keys) > 20
    assert Home(tmp_path).keys() == later


def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    Home(tmp_path).keys()
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_a_second_run_is_told_about_the_first(tmp_path: Path) -> None:
    first = Home(tmp_path)
    first.lock()
    first.announce({"url": "http://127.0.0.1:1"})
    second = Home(tmp_path)
    with pytest.raises(AlreadyRunning) as told:
        second.lock()
    assert (told.value.pid, told.value.url) == (os.getpid(), "http://127.0.0.1:1")
    assert second.is_locked()
    first.release()
    assert not second.is_locked()
    second.lock()
    second.release()


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from crm_suite.allinone.home import Home; "
        "Home(Path(sys.argv[1])).lock(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert json.loads((tmp_path / "running.json").read_text())["pid"]
    home = Home(tmp_path)
    assert not home.is_locked()
    home.lock()
    home.release()


def test_a_half_written_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "access.json").write_text('{"slug": "co')
    assert Home(tmp_path).recall("access") is None


def test_the_folder_is_chosen_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_HOME", str(tmp_path / "here"))
    assert Home.chosen().folder == tmp_path / "here"
    monkeypatch.delenv("CRM_HOME")
    monkeypatch.chdir(tmp_path)
    assert Home.chosen().folder == tmp_path / ".crm"
