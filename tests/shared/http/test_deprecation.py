"""An operation on its way out says so in every answer."""

from datetime import date
from typing import Annotated

import httpx
from fastapi import Response

from crm_shared.http.app import create_app, provide
from crm_shared.http.call import Call, public
from crm_shared.http.deprecation import deprecated
from crm_shared.http.router import Router
from crm_shared.testing.kit import ServiceKit

router = Router(prefix="/v1/ways", tag="ways", about="How things are done.")
Anybody = Annotated[Call, public("there is nothing to see here")]


@router.get("/old", response_model=None)
@deprecated(since=date(2026, 12, 1), sunset=date(2027, 6, 30), instead="GET /v1/ways/new")
async def old(call: Anybody) -> Response:
    """How it was done."""
    return Response()


@router.get("/new", response_model=None)
async def new(call: Anybody) -> Response:
    """How it is done."""
    return Response()


async def test_answers_and_refusals_say_since_when_and_until_when(kit: ServiceKit) -> None:
    app = create_app("Ways", [router], service="ways")
    provide(app, kit.app.state.services)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as http:
        for path, status in (("/v1/ways/old", 200), ("/v1/ways/old?no=1", 422)):
            answer = await http.get(path)
            assert answer.status_code == status
            assert answer.headers["deprecation"] == "@1796083200"
            assert answer.headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
        assert "deprecation" not in (await http.get("/v1/ways/new")).headers
