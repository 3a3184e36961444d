"""People and programs, and when they mean to buy."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from crm_communication_dispatch.responses.domain import (
    BuyingWindow,
    Hit,
    Verdict,
    judge_hits,
    window_in_text,
    window_in_url,
)

SENT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def hit(number: int, *, link: int = 0, after_s: float = 60, agent: str | None = FIREFOX) -> Hit:
    at = SENT + timedelta(seconds=after_s)
    return Hit(UUID(int=number), UUID(int=1), link, "https://x.example", "GET", agent, at, None, ())


def verdicts(hits: list[Hit], links: int = 5) -> list[Verdict]:
    judged = judge_hits(hits, links, SENT)
    return [judged[one.id][0] for one in hits]


def test_a_person_reads_one_link_after_another():
    assert verdicts([hit(1, link=0), hit(2, link=1, after_s=75), hit(3, link=2, after_s=90)]) == [Verdict.HUMAN] * 3


def test_a_gateway_that_opens_all_links_at_once_gives_itself_away():
    burst = [hit(n, link=n, after_s=5 + n / 10) for n in range(3)]
    assert verdicts([*burst, hit(9, link=0, after_s=900)]) == [Verdict.MACHINE] * 3 + [Verdict.HUMAN]
    assert verdicts([hit(1, link=0, after_s=5), hit(2, link=1, after_s=5.2)], links=2) == [Verdict.MACHINE] * 2


@pytest.mark.parametrize(
    "agent",
    [
        None,
        "",
        "curl/8.5",
        "python-requests/2.32",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "Barracuda Sentinel",
        "Go-http-client/2.0",
    ],
)
def test_a_program_that_says_so_is_one(agent):
    assert verdicts([hit(1, agent=agent)]) == [Verdict.MACHINE]


def test_nobody_reads_in_a_tenth_of_a_second():
    assert verdicts([hit(1, after_s=0.1)]) == [Verdict.MACHINE]


def test_a_double_click_on_the_only_link_is_a_person():
    assert verdicts([hit(1), hit(2, after_s=60.2)], links=1) == [Verdict.HUMAN] * 2


@pytest.mark.parametrize(
    ("url", "window"),
    [
        ("https://x.example/?window=now", BuyingWindow.NOW),
        ("https://x.example/a?b=c&window=within_6_months#d", BuyingWindow.WITHIN_6_MONTHS),
        ("https://x.example/?window=never", None),
        ("https://x.example/window=now", None),
        ("https://x.example/", None),
    ],
)
def test_a_link_may_say_when(url, window):
    assert window_in_url(url) is window


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("Buying window: within 6 months", BuyingWindow.WITHIN_6_MONTHS),
        ("buying_window=now", BuyingWindow.NOW),
        ("Please call me right away!", BuyingWindow.NOW),
        ("Bitte sofort", BuyingWindow.NOW),
        ("maybe next month", BuyingWindow.WITHIN_3_MONTHS),
        ("we plan it for next year, not today", BuyingWindow.WITHIN_12_MONTHS),
        ("I don't know now", None),
        ("", None),
    ],
)
def test_a_reply_may_say_when(text, window):
    assert window_in_text(text) is window
