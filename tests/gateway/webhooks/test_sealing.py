"""Secrets at rest."""

import pytest

from crm_gateway.webhooks.sealing import Sealer
from crm_shared.errors import Unavailable

OLD, NEW = "the old key of this installation", "the new key of this installation"


def test_what_is_kept_does_not_show_the_secret_and_opens_again() -> None:
    sealed = Sealer.of(OLD).seal("whsec_abc")
    assert b"whsec" not in sealed
    assert b"abc" not in sealed
    assert Sealer.of(OLD).open(sealed) == "whsec_abc"


def test_a_new_key_seals_while_the_old_one_still_opens() -> None:
    sealed = Sealer.of(OLD).seal("whsec_abc")
    both = Sealer.of(f"{NEW}, {OLD}")
    assert both.open(sealed) == "whsec_abc"
    assert Sealer.of(NEW).open(both.seal("whsec_def")) == "whsec_def"


def test_without_its_key_a_secret_stays_closed() -> None:
    with pytest.raises(Unavailable) as refused:
        Sealer.of(NEW).open(Sealer.of(OLD).seal("whsec_abc"))
    assert refused.value.code == "webhook_secret_sealed"


def test_without_any_key_nothing_is_sealed() -> None:
    assert not Sealer.of("").is_ready
    with pytest.raises(Unavailable) as refused:
        Sealer.of("").seal("whsec_abc")
    assert refused.value.code == "webhooks_not_set_up"


@pytest.mark.parametrize("key", ["short", "not-secret-change-me"])
def test_a_key_that_could_be_guessed_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_KEYS"):
        Sealer.of(key)
