"""The mailbox keeps the last mails and forgets none of the count."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from crm_suite.mailsink.journal import Journal
from crm_suite.mailsink.mailbox import Mailbox


@pytest.fixture
def filled() -> Mailbox:
    box = Mailbox(keep=3)
    for number in range(1, 6):
        box.catch("from@example.org", (f"person{number}@example.org",), b"Subject: %d\r\n\r\n" % number)
    return box


def test_lets_the_oldest_go_but_goes_on_counting(filled: Mailbox) -> None:
    assert (len(filled), filled.caught) == (3, 5)
    assert filled.get(2) is None
    assert filled.get(3) is not None
    assert filled.get(6) is None


def test_bounds_the_bytes_it_holds() -> None:
    box = Mailbox(keep=100, keep_bytes=1_000)
    for _ in range(10):
        box.catch("from@example.org", ("to@example.org",), b"x" * 400)
    assert len(box) == 2


def test_pages_newest_first_for_people(filled: Mailbox) -> None:
    assert [mail.number for mail in filled.newest_first(limit=2)] == [5, 4]
    assert [mail.number for mail in filled.newest_first(before=4)] == [3]


def test_continues_after_a_number_for_clients(filled: Mailbox) -> None:
    assert [mail.number for mail in filled.oldest_first(after=0)] == [3, 4, 5]
    assert [mail.number for mail in filled.oldest_first(after=4)] == [5]
    assert filled.oldest_first(after=99) == []


def test_finds_a_recipient_whatever_the_case(filled: Mailbox) -> None:
    assert [mail.number for mail in filled.oldest_first(to="PERSON4@example.org")] == [4]


@pytest.fixture
def journalled(tmp_path: Path) -> Iterator[Callable[..., Mailbox]]:
    """Opens the mailbox of one file, as each start of the suite does."""
    with ExitStack() as stack:

        def opened(**limits: int) -> Mailbox:
            box = Mailbox(journal=Journal(tmp_path / "mail"), **limits)  # type: ignore[arg-type]
            stack.callback(box.close)
            return box

        yield opened


class TestJournal:
    RAW = b"Subject: two\r\n\r\nlines\n[1,2]\n\x00\xff"

    def fill(self, box: Mailbox) -> None:
        for number in range(3):
            box.catch("from@example.org", (f"to{number}@example.org", "more@example.org"), self.RAW * number)

    def test_what_was_caught_is_there_after_the_process(self, journalled: Callable[..., Mailbox]) -> None:
        before = journalled()
        self.fill(before)
        after = journalled()
        assert after.oldest_first() == before.oldest_first()
        assert after.catch("a@example.org", ("b@example.org",), b"").number == 4

    @pytest.mark.parametrize("torn", [1, 10, 70])
    def test_a_mail_that_was_cut_off_is_none_and_spoils_no_other(
        self, journalled: Callable[..., Mailbox], tmp_path: Path, torn: int
    ) -> None:
        self.fill(journalled())
        whole = (tmp_path / "mail").read_bytes()
        (tmp_path / "mail").write_bytes(whole[:-torn])
        after = journalled()
        assert [mail.number for mail in after.oldest_first()] == [1, 2]
        after.catch("a@example.org", ("b@example.org",), b"again")
        assert [mail.number for mail in journalled().oldest_first()] == [1, 2, 3]

    def test_it_does_not_grow_for_ever(self, journalled: Callable[..., Mailbox], tmp_path: Path) -> None:
        box = journalled(keep_bytes=10_000)
        for _ in range(100):
            box.catch("a@example.org", ("b@example.org",), b"x" * 1_000)
        assert (tmp_path / "mail").stat().st_size < 25_000
        assert journalled(keep_bytes=10_000).oldest_first() == box.oldest_first()
