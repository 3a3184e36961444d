"""What `crm events replay` does.

An event is never published twice: whoever has taken it knows its id and drops a repeat, so doing so would look like a
replay and change nothing. What can be repeated in earnest is what the gateway sends to an address, and what an owner
tells of its present state.
"""

import time
from dataclasses import dataclass
from typing import Any

from crm_suite.complaints import Complaint
from crm_suite.gateway_client import GatewayClient
from crm_suite.output import say, show_json

OWNERS = {"customers": "/v1/customers/republish"}
"""What can be told anew, and by whom."""
_WITHIN_S = 3_600.0
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Replaying:
    """The routes that repeat something."""

    gateway: GatewayClient

    def webhook(self, webhook: str, since: str, types: list[str], *, as_json: bool) -> None:
        """Have events since a time sent to an address once more."""
        asked = {"since": since, "types": types}
        done = self.gateway.ask("POST", f"/v1/webhooks/{webhook}/replay", asked)
        if as_json:
            show_json(done)
        else:
            say(f"{webhook} gets what was kept since {since} once more; `replaying` says when it has ended.")

    def state(self, what: str, *, as_json: bool) -> None:
        """Have an owner tell the present state of all it has, and wait until it has."""
        job = self.gateway.ask("POST", OWNERS[what])
        deadline = time.monotonic() + _WITHIN_S
        while not job["finished_at"] and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            job = self.gateway.ask("GET", f"/v1/operations/{job['id']}")
        if as_json:
            show_json(job)
        if job["state"] != "succeeded":
            raise Complaint(f"The job {job['id']} is {job['state']}: {_why(job)}")
        if not as_json:
            say(f"All {what} were told anew, {job['done']} of them; who follows them takes that up by itself.")


def _why(job: dict[str, Any]) -> str:
    problem: dict[str, Any] = job["problem"] or {}
    return problem.get("detail") or "look at GET /v1/operations"
