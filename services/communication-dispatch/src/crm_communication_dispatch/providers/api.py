"""Providers over HTTP."""

from typing import Annotated

from fastapi import Query, Response

from crm_communication_dispatch.fields import ProviderId
from crm_communication_dispatch.providers import commands, queries
from crm_communication_dispatch.providers.schemas import ProviderCreate, ProviderPage, ProviderRead, ProviderUpdate
from crm_shared.http import Call, PageQuery, Router, needs

router = Router(
    prefix="/v1/providers", tag="providers", about="Through what messages are sent, as whom, and at what cost."
)
Reading = Annotated[Call, needs("providers:read")]
Writing = Annotated[Call, needs("providers:write")]


@router.post("", status_code=201, response_model=ProviderRead)
async def create(body: ProviderCreate, call: Writing) -> Response:
    """Add a provider: as whom, through what and at what cost this tenant sends e-mail."""
    return await call.write(commands.set_up_provider, body.fields(), body.cost, answer=ProviderRead.of)


@router.get("", response_model=ProviderPage)
async def list(call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """Look through the providers."""
    return await call.page(
        queries.list_providers, filters, answer=ProviderRead.of, key=lambda found: (found.created_at, found.id)
    )


@router.get("/{provider_id}", response_model=ProviderRead)
async def get(provider_id: ProviderId, call: Reading) -> Response:
    """Read one provider."""
    return await call.read(queries.get_provider, provider_id, answer=ProviderRead.of)


@router.patch("/{provider_id}", response_model=ProviderRead)
async def update(provider_id: ProviderId, body: ProviderUpdate, call: Writing) -> Response:
    """Change a provider."""
    return await call.write(
        commands.change_provider, provider_id, body.fields(), expected=call.if_match(), answer=ProviderRead.of
    )
