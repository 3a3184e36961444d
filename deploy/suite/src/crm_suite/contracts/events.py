"""Two versions of what a service tells: can old consumers read new events, and the new code old ones?

Within one `.vN` only optional fields are added. A type may go once its next version has been out for two releases.
"""

from collections.abc import Iterator, Sequence

from crm_suite.contracts.promises import ASKED, Broken, Document, kept, pointer_to
from crm_suite.contracts.schemas import Comparison

_ENVELOPE_PARTS = ("CloudEvent", "Key", "Headers")


def next_version(event_type: str) -> str:
    """`crm.ticket.opened.v2` for `crm.ticket.opened.v1`."""
    name, _, version = event_type.rpartition(".v")
    return f"{name}.v{int(version) + 1}"


def event_broken(event_type: str, old: Document, new: Document) -> Iterator[Broken]:
    """Every promise of a released event's data that today's would break."""
    way_out = f"leave {event_type} as it is, but for optional fields; publish {next_version(event_type)} beside it"
    yield from Comparison(old, new, kept(way_out)).broken(old, new)


def may_go(event_type: str, first_released: dict[str, str], releases: Sequence[str]) -> bool:
    """Whether a type's next version has been out beside it for two releases."""
    since = first_released.get(next_version(event_type))
    return since is not None and len(releases) - releases.index(since) >= 2


def topics_broken(old: Document, new: Document, *, foreign: frozenset[str]) -> Iterator[Broken]:
    """Every promise about topics, keys, headers and envelope; of what is received, only of what `foreign` ones send."""
    for topic, channel in old["channels"].items():
        here = pointer_to("channels", topic)
        sent_or_asked = f"send.{topic}" in old["operations"] or topic in foreign
        if not sent_or_asked:
            continue  # one of ours reads another of ours; the other's document has the promise
        if topic not in new["channels"]:
            yield Broken(here, "is gone", "keep the topic; consumers wait for it")
            continue
        for what in ("topic", "partitions"):
            before, after = (found["bindings"]["kafka"][what] for found in (channel, new["channels"][topic]))
            if before != after:
                told = f"{what} was {before} and is {after} now"
                yield Broken(f"{here}/bindings/kafka/{what}", told, "keep it: another one breaks the order of keys")
    way_out = "keep what travels with every event; add an optional field or header beside it"
    comparison = Comparison(old, new, kept(way_out))
    for part in _ENVELOPE_PARTS:
        here = pointer_to("components", "schemas", part)
        schemas = old["components"]["schemas"], new["components"]["schemas"]
        yield from comparison.broken(schemas[0][part], schemas[1][part], here)
    yield from _asked(old, new, foreign)


def _asked(old: Document, new: Document, foreign: frozenset[str]) -> Iterator[Broken]:
    """What producers of other houses send must be taken in as it was."""
    comparison = Comparison(old, new, ASKED)
    for topic in sorted(foreign & old["channels"].keys() & new["channels"].keys()):
        known, now = (document["channels"][topic]["messages"] for document in (old, new))
        for name in known:
            here = pointer_to("channels", topic, "messages", name)
            if name not in now:
                yield Broken(here, "is not read any more", "go on reading it; others send it")
                continue
            before, after = (document["components"]["messages"][name]["payload"] for document in (old, new))
            for one, other in zip(before["allOf"], after["allOf"], strict=True):
                yield from comparison.broken(one, other, f"{here}/payload")
