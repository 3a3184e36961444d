import httpx
import pytest

from crm_shared.testing.kit import ServiceKit


@pytest.fixture
async def http(kit: ServiceKit):
    async with kit.client(kit.tenant()) as client:
        yield client


async def test_who_asks_is_settled_before_what_is_said(kit: ServiceKit, http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/notes", content=b"{", headers={"authorization": "", "content-type": "text/plain"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_is_read_under_each_of_its_names(http: httpx.AsyncClient, media_type: str) -> None:
    answer = await http.post("/v1/notes", content=b'{"title": "x"}', headers={"content-type": media_type})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_is_not_said_to_be_json_is_refused(http: httpx.AsyncClient, media_type: str) -> None:
    answer = await http.post("/v1/notes", content=b'{"title": "x"}', headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "invalid_request"), (b"{", "json_malformed"), (b"\xff", "json_malformed")]
)
async def test_a_body_that_is_none_is_told_apart(http: httpx.AsyncClient, content: bytes, code: str) -> None:
    answer = await http.post("/v1/notes", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_all_that_is_wrong_is_named_at_once(http: httpx.AsyncClient) -> None:
    answer = await http.patch("/v1/notes/nonsense", json={"title": 1})
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert (answer.status_code, pointers) == (422, {"path:note_id", "/title"})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "route_not_found"),
        ("GET", "/v1/notes/a/b", 404, "route_not_found"),
        ("GET", "/v1/notes/a%2Fb", 404, "route_not_found"),
        ("DELETE", "/v1/notes", 405, "method_not_allowed"),
        ("GET", "/v1/notes?limit=0", 422, "invalid_request"),
        ("GET", "/v1/notes?wish=1", 422, "query_parameter_unknown"),
    ],
)
async def test_what_leads_nowhere_is_a_problem_document(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
