"""`app.py` is the map: slices import only those listed before them, and only what a neighbour shows."""

import ast
import sys

from crm_shared.runtime import Service

from .conftest import Module

SHOWN = {"commands", "domain", "store", "tables", "events", "queries", "schemas"}
"""What a slice above may import of one below. Routes, projections, reactions and timers are nobody's business."""


def slices_of(service: Service, modules: list[Module]) -> tuple[str, dict[str, int]]:
    package = next(
        name for name, module in sys.modules.items() if getattr(module, "SERVICE", None) is service
    ).partition(".")[0]
    folders = {module.parts[1] for module in modules if module.package == package and len(module.parts) > 2}
    listed = {part.name.replace("-", "_"): place for place, part in enumerate(service.slices)}
    assert folders <= listed.keys(), "every folder with more than one file is a slice of the map"
    return package, listed


def test_slices_import_only_what_stands_below(service: Service, modules: list[Module]) -> None:
    package, place = slices_of(service, modules)
    wrong: list[str] = []
    for module in modules:
        if module.package != package or len(module.parts) < 3:
            continue
        own = module.parts[1]
        for imported in module.imported():
            parts = imported.split(".")
            if parts[0] == package and len(parts) > 1 and parts[1] in place and place[parts[1]] > place[own]:
                wrong.append(f"{module} imports {imported}, which the map lists above it")
    assert not wrong


def test_slices_touch_only_what_a_neighbour_shows(service: Service, modules: list[Module]) -> None:
    package, place = slices_of(service, modules)
    wrong: list[str] = []
    for module in modules:
        if module.package != package or len(module.parts) < 3:
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            parts = node.module.split(".")
            if parts[0] != package or len(parts) < 2 or parts[1] not in place or parts[1] == module.parts[1]:
                continue
            touched = {parts[2]} if len(parts) > 2 else {alias.name for alias in node.names}
            if touched & {"api", "projections", "reactions", "timers"}:
                wrong.append(f"{module}:{node.lineno} imports {node.module}")
    assert not wrong
