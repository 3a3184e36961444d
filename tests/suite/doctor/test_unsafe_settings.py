"""Settings that are dangerous where strangers come; and those of our own examples, once filled in, that are not."""

from pathlib import Path

import pytest

from crm_suite.allinone.home import Home
from crm_suite.doctor.finding import Severity
from crm_suite.doctor.unsafe_settings import settings

LONG = "a-secret-of-ones-own-that-nobody-guesses"


@pytest.mark.parametrize(
    ("environment", "subject", "severity"),
    [
        ({"LINK_SECRET": "not-secret-change-me"}, "LINK_SECRET", Severity.ERROR),
        ({"CURSOR_SECRET": "change-me"}, "CURSOR_SECRET", Severity.ERROR),
        ({"CURSOR_SECRET": "short"}, "CURSOR_SECRET", Severity.WARNING),
        ({"OWNER_DATABASE_URL": "postgresql://o:change-me@db/x"}, "OWNER_DATABASE_URL", Severity.ERROR),
        ({"SERVICE": "crm_customer", "INTERNAL_PRIVATE_JWK": LONG}, "INTERNAL_PRIVATE_JWK", Severity.ERROR),
        ({"PUBLIC_URL": "http://crm.example"}, "PUBLIC_URL", Severity.WARNING),
        ({"SMTP_HOST": "mail.example"}, "SMTP_SECURITY", Severity.WARNING),
        ({"SMTP_VERIFY_CERTIFICATE": "false"}, "SMTP_VERIFY_CERTIFICATE", Severity.WARNING),
        ({"TRUSTED_PROXIES": "*"}, "TRUSTED_PROXIES", Severity.WARNING),
        ({"HOST": "0.0.0.0"}, "HOST", Severity.WARNING),
    ],
)
def test_each_is_found_and_explained(
    environment: dict[str, str], subject: str, severity: Severity, tmp_path: Path
) -> None:
    (finding,) = settings(environment, Home(tmp_path))
    assert (finding.subject, finding.severity) == (subject, severity)
    assert finding.why
    assert finding.remedy


def test_sound_ones_are_fine(tmp_path: Path) -> None:
    sound = {
        "LINK_SECRET": LONG,
        "CURSOR_SECRET": LONG,
        "DATABASE_URL": "postgresql://gateway_app:something@db/crm_gateway",
        "SERVICE": "crm_gateway",
        "INTERNAL_PRIVATE_JWK": LONG,
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "SMTP_HOST": "host.docker.internal",
        "HOST": "0.0.0.0",
    }
    (finding,) = settings(sound, Home(tmp_path))
    assert finding.severity is Severity.FINE


def test_secrets_that_others_on_the_machine_can_read_are_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.remember("access", {})
    assert [finding.severity for finding in settings({}, home)] == [Severity.FINE]
    (tmp_path / "access.json").chmod(0o644)
    (finding,) = settings({}, home)
    assert finding.severity is Severity.ERROR
    assert finding.remedy == f"chmod 600 {tmp_path / 'access.json'}"
