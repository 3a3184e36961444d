"""The Python client, used as a program would use it, against the running suite and over a bad line."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import uuid
from contextlib import redirect_stdout
from decimal import Decimal
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import ROOT, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from corkscrew import AsyncCrm, Crm

    from .between import Between

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(120)]


@pytest.fixture
def crm(place: Place) -> Iterator[Crm]:
    from corkscrew import Crm

    with Crm(url=place.url, api_key=place.api_key) as crm:
        yield crm


@pytest.fixture
def over_a_bad_line(place: Place, between: Between) -> Iterator[Crm]:
    from corkscrew import Crm, Retries

    with Crm(url=between.url, api_key=place.api_key, retries=Retries(first_wait_s=0.02)) as crm:
        yield crm


@pytest.fixture
async def awaited(place: Place, between: Between) -> AsyncIterator[AsyncCrm]:
    from corkscrew import AsyncCrm, Retries

    async with AsyncCrm(url=between.next().url, api_key=place.api_key, retries=Retries(first_wait_s=0.02)) as crm:
        yield crm


def in_country(crm: Crm, country: str, count: int) -> set[str]:
    return {crm.customers.register(given_name=f"Nr {n}", country=country).id for n in range(count)}


def test_the_lines_of_the_readme_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    (lines,) = re.findall(r"```python\n(from corkscrew .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    with redirect_stdout(StringIO()) as printed:
        exec(lines, scope := dict[str, Any]())
    scope["crm"].close()
    assert "Corkscrew Records" in printed.getvalue()
    assert "Grace Hopper" in printed.getvalue()


class TestAnswers:
    def test_decimals_instants_and_days_are_read_as_what_they_are_and_written_as_they_were_read(self, crm: Crm) -> None:
        from corkscrew.models import Money

        grace = crm.customers.register(given_name="Grace", birth_date=dt.date(1906, 12, 9))
        assert grace.birth_date == dt.date(1906, 12, 9)
        assert dt.datetime.now(dt.UTC) - grace.registered_at < dt.timedelta(minutes=5)
        price = Money(amount=Decimal("12.30"), currency="EUR")
        deal = crm.deals.open(customer_id=grace.id, name="Compilers", amount=price)
        assert deal.amount is not None
        assert (deal.amount.amount, deal.amount.currency) == (Decimal("12.30"), "EUR")
        twice: Decimal = deal.amount.amount * 2
        changed = crm.deals.update(deal.id, amount={"amount": twice, "currency": "EUR"}, if_match=deal)
        assert changed.amount is not None
        assert changed.amount.amount == Decimal("24.60")

    def test_what_is_left_out_stays_and_none_empties(self, crm: Crm) -> None:
        grace = crm.customers.register(given_name="Grace", family_name="Hopper", language="en")
        changed = crm.customers.update(grace.id, family_name=None)
        assert (changed.family_name, changed.given_name, changed.language) == (None, "Grace", "en")

    def test_a_word_and_a_field_of_a_later_version_are_kept(self, over_a_bad_line: Crm, between: Between) -> None:
        grace = over_a_bad_line.customers.register(given_name="Grace")
        between.next("newer")
        seen = over_a_bad_line.customers.get(grace.id)
        assert seen.status == "dormant"
        assert seen.model_extra == {"mood": {"of": "the day"}}
        assert seen.id == grace.id

    def test_a_job_is_waited_for(self, crm: Crm) -> None:
        csv = b"external_id,given_name,country\n1,Ada,MT\n2,Alan,MT\n"
        pending = crm.customer_imports.start(csv, source="list")
        done = pending.wait(timeout=60)
        assert done.state == "succeeded"
        assert len(list(crm.customers.list(country="MT"))) == 2

    def test_a_segments_rule_is_a_dictionary_that_a_type_checker_knows(self, crm: Crm) -> None:
        segment = crm.segments.create(
            name="Maltese",
            rule={"type": "and", "rules": [{"type": "attribute", "field": "country", "op": "eq", "value": "MT"}]},
        )
        assert segment.rule["type"] == "and"


class TestPages:
    def test_a_list_goes_on_over_all_its_pages(self, crm: Crm) -> None:
        made = in_country(crm, "LI", 5)
        assert {customer.id for customer in crm.customers.list(country="LI", page_size=2)} == made
        pages = list(crm.customers.list(country="LI", page_size=2).pages())
        assert [len(page.items) for page in pages] == [2, 2, 1]
        rest = crm.customers.list(country="LI", cursor=pages[0].next_cursor)
        assert {customer.id for customer in rest} == made - {customer.id for customer in pages[0].items}

    def test_taking_some_asks_for_no_more_than_those(self, over_a_bad_line: Crm, between: Between) -> None:
        in_country(over_a_bad_line, "SM", 4)
        between.next()
        assert len(over_a_bad_line.customers.list(country="SM").take(3)) == 3
        assert [each["path"] for each in between.seen] == ["/v1/customers?country=SM&limit=3"]
        assert len(over_a_bad_line.customers.list(country="SM").take(9)) == 4

    async def test_an_awaited_list_does_the_same(self, crm: Crm, awaited: AsyncCrm) -> None:
        made = in_country(crm, "AD", 5)
        pager = awaited.customers.list(country="AD", page_size=2)
        assert {customer.id async for customer in pager} == made
        assert [len(page.items) async for page in pager.pages()] == [2, 2, 1]
        assert len(await pager.take(4)) == 4


class TestTries:
    @pytest.mark.parametrize("fault", ["busy", "cut", "lose"])
    def test_a_write_that_failed_on_its_way_is_done_once(
        self, over_a_bad_line: Crm, between: Between, fault: str
    ) -> None:
        name = str(uuid.uuid4())
        between.next(fault, fault)
        made = over_a_bad_line.customers.register(display_name=name, kind="organisation")
        assert len(between.seen) == 3
        assert len(between.keys()) == 1
        assert len({each["body"] for each in between.seen}) == 1
        assert [each.id for each in over_a_bad_line.customers.list(name=name)] == [made.id]

    async def test_an_awaited_write_too(self, awaited: AsyncCrm, between: Between) -> None:
        name = str(uuid.uuid4())
        between.next("lose", "busy")
        made = await awaited.customers.register(display_name=name, kind="organisation")
        assert (len(between.seen), len(between.keys())) == (3, 1)
        assert [each.id async for each in awaited.customers.list(name=name)] == [made.id]

    def test_two_writes_have_two_keys_and_one_may_be_given(self, over_a_bad_line: Crm, between: Between) -> None:
        between.next()
        first = over_a_bad_line.customers.register(given_name="Ada")
        second = over_a_bad_line.customers.register(given_name="Ada")
        assert first.id != second.id
        assert len(between.keys()) == 2
        again = [over_a_bad_line.customers.register(given_name="Ada", idempotency_key=first.id).id for _ in range(2)]
        assert again[0] == again[1]

    def test_what_has_no_key_is_not_sent_twice(self, over_a_bad_line: Crm, between: Between) -> None:
        from corkscrew import ConnectionFailed

        between.next("cut")
        with pytest.raises(ConnectionFailed):
            over_a_bad_line.sessions.begin(tenant="nobody", email="nobody@example.com", password="not this one")
        assert len(between.seen) == 1

    def test_after_the_last_try_the_reason_is_raised(self, over_a_bad_line: Crm, between: Between) -> None:
        from corkscrew import ConnectionFailed, ServerFailed

        between.next(*["busy"] * 4)
        with pytest.raises(ServerFailed, match="503 unavailable"):
            over_a_bad_line.me.get()
        between.next(*["cut"] * 4)
        with pytest.raises(ConnectionFailed, match="tries: 4"):
            over_a_bad_line.me.get()

    def test_a_server_that_asks_for_a_long_wait_is_left_alone(self, over_a_bad_line: Crm, between: Between) -> None:
        from corkscrew import RateLimited

        between.next("slow down")
        with pytest.raises(RateLimited) as caught:
            over_a_bad_line.me.get()
        assert (caught.value.retry_after, len(between.seen)) == (3600, 1)

    def test_an_answer_that_does_not_come_is_given_up_in_time(self, place: Place, between: Between) -> None:
        from corkscrew import Crm, Retries, TimedOut

        between.next("hang", "hang")
        with Crm(url=between.url, api_key=place.api_key, retries=Retries(attempts=2, first_wait_s=0.01)) as crm:
            with pytest.raises(TimedOut):
                crm.me.get(timeout=0.1)
            assert len(between.seen) == 2

    async def test_a_cancelled_call_ends_at_once_and_the_client_goes_on(
        self, awaited: AsyncCrm, between: Between
    ) -> None:
        between.next("hang")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await awaited.me.get()
        assert (await awaited.me.get()).tenant.name == "Corkscrew Records"
        assert len(between.seen) == 2


class TestProblems:
    def test_each_has_its_class_and_says_what_the_api_said(self, crm: Crm, place: Place) -> None:
        from corkscrew import Crm, NotFound, PreconditionFailed, Unauthenticated, ValidationFailed

        with pytest.raises(NotFound) as missing:
            crm.customers.get("cus_064gkndciprknf6emc10j6k0as")
        assert missing.value.request_id
        with pytest.raises(ValidationFailed) as refused:
            crm.customers.register(given_name="Grace", country="Germany")
        assert [each.pointer for each in refused.value.errors] == ["/country"]
        grace = crm.customers.register(given_name="Grace")
        crm.customers.update(grace.id, language="en", if_match=grace)
        with pytest.raises(PreconditionFailed):
            crm.customers.update(grace.id, language="de", if_match=grace)
        with Crm(url=place.url, api_key="nobody's") as stranger, pytest.raises(Unauthenticated):
            stranger.me.get()

    def test_a_job_that_failed_says_why(self, over_a_bad_line: Crm, between: Between) -> None:
        from corkscrew import OperationFailed

        between.next("pass", "failed job")
        with pytest.raises(OperationFailed, match="failed: It failed too often") as failed:
            over_a_bad_line.customers.republish().wait(timeout=30)
        assert failed.value.operation.problem is not None


class TestEvents:
    def test_what_happens_is_followed_from_where_a_page_ended(self, crm: Crm) -> None:
        pages = list(crm.events.list(types="crm.customer.*").pages())
        shown = {event.id for page in pages for event in page.items}
        made = crm.customers.register(given_name="Grace")
        asked: dict[str, Any] = {"types": "crm.customer.registered.v1", "cursor": pages[-1].resume}
        came: list[Any] = []
        for event in crm.events.stream(**asked):
            came.append(event)
            if event.data["subject"] == made.id:
                break  # what came before it was on its way while the pages were read
        assert {event.type for event in came} == {"crm.customer.registered.v1"}
        assert shown.isdisjoint(event.data["id"] for event in came)
        (again,) = (event for event in crm.events.list(**asked) if event.subject == made.id)
        assert again.data["given_name"] == "Grace"
        assert again.id == came[-1].data["id"]

    def test_a_broken_stream_goes_on_after_the_last_whole_event(self, over_a_bad_line: Crm, between: Between) -> None:
        between.next("events", "busy", "events")
        events = list(islice(over_a_bad_line.events.stream(), 4))
        assert [event.cursor for event in events] == ["1", "2", "3", "4"]
        assert events[3].data == {"data": {"number": 4}, "line": "a\u2028b"}
        assert [each["headers"].get("last-event-id") for each in between.seen] == [None, "2", "2"]

    async def test_awaited_too(self, awaited: AsyncCrm, between: Between) -> None:
        between.next("events", "cut", "events")
        cursors: list[str] = []
        async for event in awaited.events.stream():
            cursors.append(event.cursor)
            if len(cursors) == 4:
                break
        assert cursors == ["1", "2", "3", "4"]
