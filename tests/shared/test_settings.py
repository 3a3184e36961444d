"""No process goes into service with a secret that everybody can read."""

import os
import subprocess
import sys

import pytest

from crm_communication_dispatch.settings import MailSettings
from crm_shared.settings import API, PLACEHOLDERS, WORKER, ServiceSettings, published_secrets

SOUND = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
    "WORKER_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
    "INTERNAL_JWKS": '{"keys": []}',
    "INTERNAL_PRIVATE_JWK": '{"kty": "OKP"}',
    "CURSOR_SECRET": "of this test",
    "LINK_SECRET": "of this test",
}


def started(package: str, part: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **settings}
    words = [sys.executable, "-m", package, part]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("package", "part", "variable"),
    [
        ("crm_communication_dispatch", WORKER, "LINK_SECRET"),
        ("crm_gateway", API, "INTERNAL_PRIVATE_JWK"),
    ],
)
def test_a_process_without_a_secret_of_its_own_does_not_start(package: str, part: str, variable: str) -> None:
    ended = started(package, part, {name: value for name, value in SOUND.items() if name != variable})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{variable}: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("value", sorted(PLACEHOLDERS))
def test_what_examples_hold_is_no_secret(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_SECRET", value)
    assert published_secrets(MailSettings(), part=WORKER) == ["LINK_SECRET"]
    monkeypatch.setenv("LINK_SECRET", "of this test")
    assert published_secrets(MailSettings(), part=WORKER) == []


def test_a_worker_needs_none_of_the_apis_secrets() -> None:
    settings = ServiceSettings(database_url="unused")
    assert published_secrets(settings, part=API) == ["INTERNAL_JWKS", "CURSOR_SECRET"]
    assert published_secrets(settings, part=WORKER) == []
