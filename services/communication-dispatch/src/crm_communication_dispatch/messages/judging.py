"""The policy applied to many messages at once: facts are read set-based, each decision is pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_communication_dispatch.customers import store as customers
from crm_communication_dispatch.customers.domain import Customer, folded
from crm_communication_dispatch.governance import store as governance
from crm_communication_dispatch.governance.domain import (
    LOOK_BACK,
    Facts,
    Policy,
    Request,
    Ruling,
    Sent,
    Suppression,
    Verdict,
    decide,
)
from crm_communication_dispatch.messages.domain import TEST, Message, Status
from crm_communication_dispatch.messages.store import ledger
from crm_shared.db.pool import Tx

_NOBODY = Facts(known=False, erased=False, address=None, time_zone=None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A message with the policy's verdict and the customer it is for."""

    message: Message
    verdict: Verdict
    customer: Customer | None

    @property
    def address(self) -> str | None:
        """Where it would go."""
        if self.message.purpose == TEST:
            return self.message.address
        return self.customer.address(self.message.channel) if self.customer else None


class Judge:
    """What is known of some customers, read once; its verdicts count each other's messages."""

    def __init__(
        self, channel: str, policy: Policy, facts: Mapping[UUID, Facts], known: Mapping[UUID, Customer]
    ) -> None:
        self.policy = policy
        self._channel = channel
        self._facts = dict(facts)
        self._customers = known

    @classmethod
    async def of(cls, tx: Tx, channel: str, ids: Sequence[UUID], *, now: datetime) -> "Judge":
        """Read all that the policy asks about these customers."""
        policy = await governance.get_policy(tx)
        known = await customers.get_customers(tx, ids)
        real = {key: of.id for key, of in known.items()}
        everyone = [*{*ids, *real.values()}]
        consents = await customers.get_consents(tx, everyone)
        addresses = {key: folded(address) for key, of in known.items() if (address := of.address(channel))}
        suppressed = await governance.suppressions_for(
            tx, channel=channel, customers=everyone, addresses=[*set(addresses.values())]
        )
        by_customer, by_address = _sorted(suppressed)
        sent = await ledger.sent_to(tx, everyone, since=now - LOOK_BACK)
        facts: dict[UUID, Facts] = {}
        for key, of in known.items():
            both = {key, real[key]}  # the id as given and, after a merge, the survivor's
            facts[key] = Facts(
                known=of.known,
                erased=of.erased_at is not None,
                address=of.address(channel),
                time_zone=of.time_zone,
                consents=consents.get(real[key], ()),
                suppressions=[s for one in both for s in by_customer.get(one, ())]
                + by_address.get(addresses.get(key, ""), []),
                sent=[s for one in both for s in sent.get(one, ())],
            )
        return cls(channel, policy, facts, known)

    def judge_customer(self, customer_id: UUID, purpose: str, now: datetime) -> Verdict:
        """May this customer be written to for a purpose?"""
        facts = self._facts.get(customer_id, _NOBODY)
        return decide(Request(self._channel, purpose), facts, self.policy, now)

    def judge(self, message: Message, now: datetime) -> Judged:
        """May this message go now? If it may, it counts against the caps of those judged after it."""
        if message.customer_id is None:
            return Judged(message, Verdict(Ruling.SEND, None, None, ()), None)
        facts = self._facts.get(message.customer_id, _NOBODY)
        request = Request(self._channel, message.purpose, message.expires_at, message.planned_at)
        verdict = decide(request, facts, self.policy, now)
        if verdict.ruling is Ruling.SEND:
            sent = [*facts.sent, Sent(now, self._channel, message.purpose)]
            self._facts[message.customer_id] = replace(facts, sent=sent)
        return Judged(message, verdict, self._customers.get(message.customer_id))


def _sorted(
    suppressed: Sequence[Suppression],
) -> tuple[dict[UUID, list[Suppression]], dict[str, list[Suppression]]]:
    by_customer: dict[UUID, list[Suppression]] = {}
    by_address: dict[str, list[Suppression]] = {}
    for suppression in suppressed:
        if suppression.customer_id is not None:
            by_customer.setdefault(suppression.customer_id, []).append(suppression)
        if suppression.address is not None:
            by_address.setdefault(suppression.address, []).append(suppression)
    return by_customer, by_address


def status_of(verdict: Verdict) -> Status:
    """The state a verdict puts a message in."""
    if verdict.ruling is Ruling.SEND:
        return Status.QUEUED
    if verdict.ruling is Ruling.HOLD:
        return Status.HELD
    return Status.EXPIRED if verdict.reason == "expired" else Status.SUPPRESSED


def explanation(verdict: Verdict, now: datetime) -> dict[str, Any]:
    """Why a message goes, waits or doesn't go, as it is kept."""
    return {
        "decided_at": now.isoformat(),
        "ruling": verdict.ruling.value,
        "reason": verdict.reason,
        "checks": [
            {"rule": check.rule, "passed": check.passed, "detail": _plain(check.detail)} for check in verdict.checks
        ],
    }


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
            for name, value in detail.items()}  # fmt: skip
