"""The mailbox keeps the last mails and forgets none of the count."""

import pytest

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
