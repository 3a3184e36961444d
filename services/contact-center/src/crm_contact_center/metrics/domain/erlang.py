"""Queueing theory: what waiting, abandonment and service level a number of agents must lead to.

Erlang B and C as usual; Erlang A with exponential patience as a birth–death chain (Mandelbaum & Zeltyn 2005), its
service level by uniformisation of the tagged caller's chain. They measure the router and any simulation of it.
"""

from dataclasses import dataclass
from math import exp, inf

_TAIL = 1e-12


@dataclass(frozen=True, slots=True)
class ErlangC:
    """A queue where everybody waits as long as it takes."""

    occupancy: float
    waits: float
    """The share of contacts that wait at all."""
    asa_s: float
    """Average speed of answer over all contacts."""
    service_level: float
    """The share answered within the threshold."""


@dataclass(frozen=True, slots=True)
class ErlangA:
    """A queue whose contacts lose patience; every ambiguous figure in each of its readings."""

    waits: float
    abandoned: float
    """Abandoned ÷ offered."""
    asa_answered_s: float
    """The mean wait of those answered."""
    asa_all_queue_time_s: float
    """All waiting, the abandoned's too, ÷ answered."""
    service_level_offered: float
    """Answered in time ÷ offered."""
    service_level_answered: float
    """Answered in time ÷ answered."""
    service_level_with_early_abandons: float
    """(Answered + abandoned in time) ÷ offered."""
    occupancy: float


def erlang_b(load: float, agents: int) -> float:
    """The share of calls that find all `agents` busy where nobody waits; `load` in erlangs."""
    blocked = 1.0
    for number in range(1, agents + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(*, per_hour: float, aht_s: float, agents: int, threshold_s: float) -> ErlangC:
    """A queue in equilibrium; with too few agents everybody waits for ever."""
    load = per_hour * aht_s / 3600
    occupancy = load / agents
    if occupancy >= 1:
        return ErlangC(occupancy, 1.0, inf, 0.0)
    blocked = erlang_b(load, agents)
    waits = blocked / (1 - occupancy * (1 - blocked))
    return ErlangC(
        occupancy=occupancy,
        waits=waits,
        asa_s=waits * aht_s / (agents - load),
        service_level=1 - waits * exp(-(agents - load) * threshold_s / aht_s),
    )


def erlang_a(*, per_hour: float, aht_s: float, agents: int, patience_s: float, threshold_s: float) -> ErlangA:
    """A queue in equilibrium whose contacts wait `patience_s` on average before they give up."""
    arrival, serve, leave = per_hour / 3600, 1 / aht_s, 1 / patience_s
    states = _equilibrium(arrival, serve, leave, agents)
    queued = sum((number - agents) * share for number, share in enumerate(states) if number > agents)
    waits = sum(states[agents:])
    abandoned = leave * queued / arrival
    answered = 1 - abandoned
    in_time, total_wait, gone_in_time = _tagged(states, agents, serve, leave, threshold_s)
    at_once = sum(states[:agents])
    return ErlangA(
        waits=waits,
        abandoned=abandoned,
        asa_answered_s=total_wait / answered,
        asa_all_queue_time_s=queued / arrival / answered,
        service_level_offered=at_once + in_time,
        service_level_answered=(at_once + in_time) / answered,
        service_level_with_early_abandons=at_once + in_time + gone_in_time,
        occupancy=arrival * answered * aht_s / agents,
    )


def agents_needed(*, per_hour: float, aht_s: float, threshold_s: float, service_level: float) -> int:
    """The fewest agents that keep an Erlang C service level."""
    agents = int(per_hour * aht_s / 3600) + 1
    while True:
        found = erlang_c(per_hour=per_hour, aht_s=aht_s, agents=agents, threshold_s=threshold_s)
        if found.service_level >= service_level:
            return agents
        agents += 1


def _equilibrium(arrival: float, serve: float, leave: float, agents: int) -> list[float]:
    """The share of time with 0, 1, 2, … contacts in the system."""
    weights = [1.0]
    largest = 1.0
    while len(weights) <= agents or weights[-1] > _TAIL * largest:
        number = len(weights)
        weights.append(weights[-1] * arrival / (min(number, agents) * serve + max(0, number - agents) * leave))
        largest = max(largest, weights[-1])
    total = sum(weights)
    return [weight / total for weight in weights]


def _tagged(
    states: list[float], agents: int, serve: float, leave: float, threshold_s: float
) -> tuple[float, float, float]:
    """Of all contacts: the share that waits and is answered in time, mean wait of the answered, share gone in time.

    A tagged caller behind others advances at the rate at which those are served or leave, and leaves at a rate of its
    own. The chain is uniformised at its fastest rate; the Poisson weights run until what is left is negligible.
    """
    places = len(states) - agents
    ahead = states[agents:]
    rates = [agents * serve + place * leave for place in range(places)]
    fastest = rates[-1] + leave
    in_time = gone = 0.0
    mass, poisson, left, step = list(ahead), exp(-fastest * threshold_s), 1.0, 0
    done_answered = done_gone = 0.0
    while left > _TAIL and step < 200_000:
        in_time += poisson * done_answered
        gone += poisson * done_gone
        left -= poisson
        step += 1
        poisson *= fastest * threshold_s / step
        done_answered += mass[0] * rates[0] / fastest
        done_gone += sum(mass) * leave / fastest
        mass = [
            mass[place] * (1 - (rates[place] + leave) / fastest)
            + (mass[place + 1] * rates[place + 1] / fastest if place + 1 < places else 0.0)
            for place in range(places)
        ]
    return in_time, _wait_of_answered(ahead, rates, leave), gone


def _wait_of_answered(ahead: list[float], rates: list[float], leave: float) -> float:
    """What the waits of those who are answered after waiting add up to, per contact offered."""
    chance, mean_wait = 1.0, 0.0  # of a caller at place −1: answered, after no time
    total = 0.0
    for share, rate in zip(ahead, rates, strict=True):
        # One place takes 1/(rate+leave) on average, and is survived with probability rate/(rate+leave).
        survives = rate / (rate + leave)
        chance *= survives
        mean_wait += 1 / (rate + leave)
        total += share * chance * mean_wait
    return total
