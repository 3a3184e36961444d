"""The receiver of docs/integrate.md, as it stands there, before the running suite."""

import socket
from typing import Any

import httpx
import orjson
import pytest

from .test_integrate import WITHIN_S, Company, company, program

__all__ = ["company", "program"]
pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(240)]


def test_a_receiver_learns_what_happens_and_believes_nobody_else(company: Company, program: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hook"
    with program("subscribe.sh", **company.environment, HOOK_URL=url) as subscribe:
        assert subscribe.process.wait(WITHIN_S) == 0
        webhook = orjson.loads(subscribe.printed.read_text())
    headers = {"authorization": f"Bearer {company.key}"}
    hook = f"{company.url}/v1/webhooks/{webhook['id']}"
    try:
        with program("receive.py", WEBHOOK_SECRET=webhook["secret"], HOOK_PORT=str(port)) as receive:
            _until_open(port)
            tested = httpx.post(f"{hook}/test", headers=headers, timeout=20).json()
            assert tested["state"] == "delivered", tested
            receive.until("crm.webhook.test.v1")
            customer = company.register("Called by")
            receive.until(f"crm.customer.registered.v1 {customer}")
            forged = httpx.post(url, content=b"{}", headers={"webhook-id": "1", "webhook-timestamp": "1"}, timeout=10)
            assert forged.status_code == 401
    finally:
        assert httpx.delete(hook, headers=headers, timeout=10).status_code == 204


def _until_open(port: int) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=10) as http:
        http.get(f"http://127.0.0.1:{port}/")
