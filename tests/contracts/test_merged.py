"""The merged document: one door, one description."""

from crm_gateway.gateway import merged_document
from crm_shared.http.app import create_app
from crm_suite.topology import load_suite


def test_all_services_descriptions_become_one() -> None:
    suite = load_suite()
    documents = {
        service.name: create_app(service.title, service.routers, service=service.name).openapi()
        for service in suite.behind
    }
    merged = merged_document(documents)
    operations = [operation for path in merged["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all("x-required-scope" in operation or "x-public" in operation for operation in operations)
