"""Files are named for the concept they hold."""

from .conftest import SERVICES, Module

SAYS_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "base",
    "base_service",
    "common",
    "misc",
    "core",
}
OUTSIDE_SLICES = {"app", "metadata", "__main__"}
ABOVE_AND_BELOW = {
    "api",
    "schemas",
    "commands",
    "store",
    "events",
    "tables",
    "domain",
    "projections",
    "reactions",
    "timers",
}


def test_no_file_has_a_name_that_says_nothing(modules: list[Module]) -> None:
    bad = [str(module) for module in modules if SAYS_NOTHING & set(module.parts)]
    assert not bad
    assert not [str(module) for module in modules if module.parts[-1][-1].isdigit()], "`service2.py` hides a concept"


def test_every_slice_draws_on_the_vocabulary(modules: list[Module]) -> None:
    """A slice may have files of its own beside it, but one without any file of the vocabulary is no slice."""
    slices: dict[tuple[str, str], set[str]] = {}
    for module in modules:
        if module.package in SERVICES and len(module.parts) > 2:
            slices.setdefault((module.package, module.parts[1]), set()).add(module.parts[2])
    strange = {slice_: files for slice_, files in slices.items() if not files & ABOVE_AND_BELOW}
    assert not strange
