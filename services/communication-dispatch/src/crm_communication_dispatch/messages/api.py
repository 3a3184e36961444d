"""The ledger over HTTP."""

from typing import Annotated

from fastapi import Path, Query, Response

from crm_communication_dispatch.fields import CustomerId, MessageId, TemplateId
from crm_communication_dispatch.messages import commands, queries
from crm_communication_dispatch.messages.schemas import (
    ExplanationRead,
    MessageFilter,
    MessagePage,
    MessageRead,
    MessageSend,
    PressureRead,
    ReceiptWrite,
    TestSend,
)
from crm_shared.http import Call, Router, needs

router = Router(prefix="/v1/messages", tag="messages", about="The ledger of everything sent to customers, and why.")
pressure_router = Router(
    prefix="/v1/message-pressure",
    tag="message-pressure",
    about="How much a customer got, and how much more they may get.",
)
test_router = Router(prefix="/v1/templates", tag="templates")
Reading = Annotated[Call, needs("messages:read")]
Writing = Annotated[Call, needs("messages:write")]


@router.post("", status_code=201, response_model=MessageRead)
async def send(body: MessageSend, call: Writing) -> Response:
    """Send one message to one customer, within consent, caps and quiet hours; send an Idempotency-Key."""
    return await call.write(commands.send_message, body.order(), answer=MessageRead.of)


@router.get("", response_model=MessagePage)
async def list(call: Reading, filters: Annotated[MessageFilter, Query()]) -> Response:
    """Look through the ledger, newest first."""
    return await call.page(
        queries.list_messages, filters, answer=MessageRead.of, key=lambda found: (found.planned_at, found.id)
    )


@router.get("/{message_id}", response_model=MessageRead)
async def get(message_id: MessageId, call: Reading) -> Response:
    """Read one message."""
    return await call.read(queries.get_message, message_id, answer=MessageRead.of)


@router.get("/{message_id}/explanation", response_model=ExplanationRead)
async def explanation(message_id: MessageId, call: Reading) -> Response:
    """Read why a message was sent, waits, or wasn't sent."""
    return await call.read(queries.explain_message, message_id, answer=ExplanationRead.of)


@router.post("/{message_id}/cancel", response_model=MessageRead)
async def cancel(message_id: MessageId, call: Writing) -> Response:
    """Take back a message that hasn't gone."""
    return await call.write(commands.cancel_message, message_id, answer=MessageRead.of)


@router.post("/{message_id}/receipts", status_code=200, response_model=MessageRead)
async def record_receipt(message_id: MessageId, body: ReceiptWrite, call: Writing) -> Response:
    """Tell what became of a message; a late or repeated receipt is kept and changes nothing."""
    return await call.write(commands.record_receipt, message_id, body.said(), answer=MessageRead.of)


@pressure_router.get("/{customer_id}", response_model=PressureRead, name="get")
async def get_pressure(customer_id: CustomerId, call: Reading) -> Response:
    """Read how much a customer got, and what caps, quiet hours and suppressions leave."""
    return await call.read(queries.get_pressure, customer_id, answer=PressureRead.of, now=call.now)


@test_router.post("/{template_id}/versions/{number}/test-send", status_code=201, response_model=MessageRead)
async def test_send(
    template_id: TemplateId,
    number: Annotated[int, Path(ge=1, le=1_000_000, description="Which version of the template.")],
    body: TestSend,
    call: Annotated[Call, needs("templates:write")],
) -> Response:
    """Send a version to its author's own mailbox."""
    return await call.write(commands.send_test, template_id, number, body.order(), answer=MessageRead.of)
