"""Documents and health at the door."""

import hashlib
import re
from importlib.resources import files

from crm_gateway.gateway import merged_document, own_document
from crm_gateway.openapi.domain.routes import RouteTable, routes_of


async def test_the_merged_document_is_served_to_anybody(house):
    async with house.http(None) as http:
        got = await http.get("/openapi.json")
    document = got.json()
    assert got.headers["content-type"] == "application/json"
    assert document["paths"]["/v1/things"]["get"]["x-required-scope"] == "things:read"
    assert document["paths"]["/v1/customers/{customer_id}/360"]["get"]["x-upstream"] == "gateway"
    assert "/livez" not in document["paths"]


async def test_the_docs_page_loads_nothing_from_anywhere_else(house):
    async with house.http(None) as http:
        page = await http.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert linked
        for address in linked:
            assert address.startswith("/docs/"), address
            assert (await http.get(address)).status_code == 200
        start = (await http.get("/docs/start.js")).text
    assert "://" not in page.text + start
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "validatorUrl: null" in start


async def test_the_vendored_assets_are_the_published_ones_with_their_licence():
    assets = files("crm_gateway.openapi").joinpath("assets", "swagger-ui")
    found = {
        name: hashlib.sha256(assets.joinpath(name).read_bytes()).hexdigest()
        for name in ("swagger-ui-bundle.js", "swagger-ui.css")
    }
    assert found == {
        "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
        "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    }
    assert "Apache License" in assets.joinpath("LICENSE").read_text()


async def test_every_problem_type_leads_to_a_page(house):
    async with house.http(None) as http:
        kind = (await http.get("/v1/nothing")).json()["type"]
        got = await http.get(kind)
        assert (got.status_code, "route_not_found" in got.text) == (200, True)
        assert (await http.get("/problems/<script>")).status_code == 404


async def test_alive_touches_nothing_and_ready_asks_only_its_own_database(house):
    house.upstream.seen.clear()
    async with house.http(None) as http:
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.head("/livez")).status_code == 200
        assert (await http.post("/livez")).status_code == 404
    assert house.upstream.seen == []


async def test_without_its_database_it_is_alive_but_not_ready(open_house):
    async with open_house() as house, house.http(None) as http:
        await house.gateway.database.close()
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503


def test_every_route_of_ours_has_a_scope_or_a_reason():
    document = merged_document({})
    table = RouteTable(routes_of(document))
    public = {f"{route.method} {route.template}" for route in table.routes if route.scope is None}
    assert public == {"POST /v1/sessions"}


def test_our_operation_ids_are_tag_and_name():
    for path, item in own_document()["paths"].items():
        for method, operation in item.items():
            assert operation["operationId"].startswith(operation["tags"][0].replace("-", "_") + "_"), (method, path)
