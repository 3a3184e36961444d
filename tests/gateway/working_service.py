"""A service as all of ours are, in a process of its own, whose one handler works until somebody stops it.

`python working_service.py FOLDER PORT`; it tells of its work in files of that folder.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

from fastapi import Response

from crm_shared.clock import SystemClock
from crm_shared.http.app import create_app, provide
from crm_shared.http.auth import TokenSigner, TokenVerifier
from crm_shared.http.call import Call, Services, public
from crm_shared.http.router import Router
from crm_shared.runtime.http_server import serve
from crm_shared.settings import ServiceSettings

folder = Path(sys.argv[1])
router = Router(prefix="/v1/things", tag="things")


@router.get("")
async def work(call: Annotated[Call, public("for tests")]) -> Response:
    try:
        for step in range(1_000_000):
            (folder / "steps").write_text(str(step))
            await asyncio.sleep(0.01)
    finally:
        (folder / "stopped").touch()
    return Response()


def make() -> Any:
    app = create_app("Working", [router], service="working")
    nowhere: Any = None
    keys = TokenVerifier(TokenSigner.generate().public_jwks(), audience="working")
    provide(app, Services(nowhere, SystemClock(), keys, "", "optest"))
    return app


serve(make, ServiceSettings(database_url="unused", port=int(sys.argv[2])))
