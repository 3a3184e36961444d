"""This machine, broken in small ways."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from crm_suite.allinone.home import Home
from crm_suite.doctor import machine
from crm_suite.doctor.finding import Severity


def test_a_taken_port_names_who_has_it_and_another_that_is_free() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        gateway = next(machine.ports(port))
        assert gateway.severity is Severity.ERROR
        assert f"process {os.getpid()}" in gateway.seen
        assert "PORT=" in gateway.remedy
    assert next(machine.ports(port)).severity is Severity.FINE


def test_parts_of_different_releases_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {finding.severity for finding in machine.packages()} == {Severity.FINE}
    other = tmp_path / "crm_customer-9.9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-customer\nVersion: 9.9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    ours = next(machine.packages())
    assert ours.severity is Severity.ERROR
    assert "crm-customer 9.9.9" in ours.seen


def test_a_library_that_is_not_what_ours_ask_for_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "crm_customer-0.1.0.dist-info"
    other.mkdir()
    wanted = "Requires-Dist: httpx>=99\nRequires-Dist: no-such-library\nRequires-Dist: unused; extra == 'never'\n"
    (other / "METADATA").write_text(f"Metadata-Version: 2.1\nName: crm-customer\nVersion: 0.1.0\n{wanted}")
    monkeypatch.syspath_prepend(str(tmp_path))
    libraries = [finding for finding in machine.packages() if finding.subject == "libraries"]
    assert [finding.severity for finding in libraries] == [Severity.ERROR]
    assert "no-such-library is not installed" in libraries[0].seen
    assert "httpx is" in libraries[0].seen
    assert "unused" not in libraries[0].seen


@pytest.mark.parametrize(("free_gb", "severity"), [(0.5, Severity.ERROR), (3, Severity.WARNING), (50, Severity.FINE)])
def test_a_disk_that_fills_is_said_in_time(
    free_gb: float, severity: Severity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = type("Usage", (), {"free": free_gb * 1e9})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: left)
    assert [finding.severity for finding in machine.disk(Home(tmp_path / "not" / "yet"))] == [severity]
