from typing import Any

import pytest

from crm_gateway.openapi.domain.merging import MergeConflict, merge


def document(paths: dict[str, Any], **schemas: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}


def op(name: str, **more: Any) -> dict[str, Any]:
    return {"operationId": name, "x-required-scope": "a:read", "responses": {}, **more}


def merged(**documents: dict[str, Any]) -> dict[str, Any]:
    return merge({name.replace("_", "-"): made for name, made in documents.items()}, title="t", version="1")


def test_equal_schemas_collapse_whatever_the_order_of_their_keys():
    problem = {"type": "object", "properties": {"a": {}, "b": {}}}
    turned = {"properties": {"b": {}, "a": {}}, "type": "object"}
    got = merged(one=document({}, Problem=problem), two=document({}, Problem=turned))
    assert got["components"]["schemas"] == {"Problem": problem}


def test_different_schemas_of_one_name_fail_and_both_owners_are_named():
    with pytest.raises(MergeConflict, match=r"schemas Money differs between one and two"):
        merged(one=document({}, Money={"type": "string"}), two=document({}, Money={"type": "number"}))


def test_a_repeated_operation_id_fails():
    with pytest.raises(MergeConflict, match="operationId same"):
        merged(one=document({"/v1/a": {"get": op("same")}}), two=document({"/v1/b": {"get": op("same")}}))


def test_two_owners_of_one_route_fail():
    with pytest.raises(MergeConflict, match="GET /v1/a is served by both one and two"):
        merged(one=document({"/v1/a": {"get": op("x")}}), two=document({"/v1/a": {"get": op("y")}}))


def test_two_services_may_share_a_path_with_different_methods():
    got = merged(one=document({"/v1/a": {"get": op("x")}}), two=document({"/v1/a": {"post": op("y")}}))
    assert {method: operation["x-upstream"] for method, operation in got["paths"]["/v1/a"].items()} == {
        "get": "one",
        "post": "two",
    }


def test_operations_become_one_route_whose_id_may_be_any_owners():
    part = {
        "/v1/operations/{operation_id}": {
            "get": op("operations_get", parameters=[{"in": "path", "name": "operation_id"}])
        }
    }
    got = merged(customer=document(part), sales_pipeline=document(part))
    (parameter,) = got["paths"]["/v1/operations/{operation_id}"]["get"]["parameters"]
    assert "opcus|opsal|opcom|opcon" in parameter["schema"]["pattern"]


def test_every_fault_is_named_at_once():
    with pytest.raises(MergeConflict) as caught:
        merged(
            one=document({"/v1/a": {"get": op("x")}}, A={}),
            two=document({"/v1/a": {"get": op("x")}}, A={"type": "null"}),
        )
    assert len(caught.value.faults) == 2


def test_health_and_the_like_stay_behind_the_door():
    got = merged(one=document({"/livez": {"get": op("l")}, "/metrics": {"get": op("m")}}))
    assert got["paths"] == {}
