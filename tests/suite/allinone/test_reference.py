import pytest
from fastapi import FastAPI

from crm_gateway.gateway import own_document
from crm_shared.http.app import create_app
from crm_suite.allinone import reference
from crm_suite.allinone.reference import documents_of
from crm_suite.topology import load_suite


@pytest.fixture(scope="module")
def apps() -> dict[str, FastAPI]:
    return {
        service.name: create_app(service.title, service.routers, service=service.name)
        for service in load_suite().behind
    }


def test_documents_are_made_anew_where_none_was_committed(
    apps: dict[str, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(reference, "committed_document", missing)
    made = documents_of(apps)
    assert made is not None
    assert made.keys() == apps.keys()


def test_documents_are_made_anew_where_a_route_is_not_in_the_committed_one(
    apps: dict[str, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "committed_document", own_document)
    assert documents_of(apps) is not None


def test_the_committed_document_serves_where_it_fits(apps: dict[str, FastAPI], monkeypatch: pytest.MonkeyPatch) -> None:
    paths = own_document()["paths"]
    for app in apps.values():
        for path, operations in app.openapi()["paths"].items():
            paths.setdefault(path, {}).update(operations)
    monkeypatch.setattr(reference, "committed_document", lambda: {"paths": paths})
    assert documents_of(apps) is None
