"""Routers that keep the suite's conventions: a scope on every route, strict query parameters, stable operation ids."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from inspect import isfunction
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from crm_shared.errors import FieldError, Invalid
from crm_shared.http.deprecation import SUNSET, Deprecation
from crm_shared.http.nesting import refuse_deep

_FIRST_SENTENCE = re.compile(r"[.:;?!](?=\s|$)")


class Unscoped(TypeError):
    """A route was declared without `needs(scope)` or `public(reason)`."""


class JsonRequest(Request):
    """A request whose JSON is read strictly: no NaN, no lone surrogates, no endless nesting."""

    async def json(self) -> Any:
        """The parsed body."""
        if not hasattr(self, "_json"):
            body = await self.body()
            refuse_deep(body)
            self._json = orjson.loads(body)
        return self._json


class StrictRoute(APIRoute):
    """A route with a scope that refuses query parameters it doesn't know."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(path, endpoint, **kwargs)
        marks: list[Any] = [dependency.call for dependency in self.dependant.dependencies]
        self.scope: str | None = next((mark.crm_scope for mark in marks if hasattr(mark, "crm_scope")), None)
        self.public: str | None = next((mark.crm_public for mark in marks if hasattr(mark, "crm_public")), None)
        if (self.scope is None) == (self.public is None):
            raise Unscoped(f"{path}: declare exactly one of needs(scope) and public(reason)")
        extra: dict[str, Any] = {"x-required-scope": self.scope} if self.scope else {"x-public": self.public}
        extra["security"] = [{"token": [self.scope]}] if self.scope else []
        self.summary, self.description = _told(self.description)
        self.deprecation: Deprecation | None = getattr(endpoint, "crm_deprecation", None)
        if self.deprecation:
            self.deprecated = True
            self.description = f"{self.description or self.summary}\n\n{self.deprecation.sentence}"
            extra[SUNSET] = self.deprecation.sunset.isoformat()
        self.openapi_extra = {**extra, **(self.openapi_extra or {})}

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether the handler writes through its call, which heeds `Idempotency-Key`."""
        return not self._calls.isdisjoint({"write", "start"})

    @property
    def takes_if_match(self) -> bool:
        """Whether the handler asks its call for `If-Match`."""
        return "if_match" in self._calls

    @property
    def requires_if_match(self) -> bool:
        """Whether the handler insists on it."""
        return self.takes_if_match and ("required",) in self.endpoint.__code__.co_consts

    @cached_property
    def _calls(self) -> frozenset[str]:
        """The names in the code of the handler and its own helpers: asking it beats having it say everything twice."""
        names = set(self.endpoint.__code__.co_names)
        for helper in [self.endpoint.__globals__.get(name) for name in names]:
            if isfunction(helper) and helper.__module__ == self.endpoint.__module__:
                names |= set(helper.__code__.co_names)
        return frozenset(names)

    @cached_property
    def known_parameters(self) -> frozenset[str]:
        """The names of all query parameters that the route takes."""
        return frozenset(_query_names(self.dependant))

    def refuse_unknown(self, request: Request) -> None:
        """Refuse query parameters that the route doesn't take.

        Raises:
            Invalid: there are some.
        """
        unknown = [name for name in request.query_params if name not in self.known_parameters]
        if unknown:
            known = ", ".join(sorted(self.known_parameters)) or "none"
            raise Invalid(
                f"Unknown query parameter {unknown[0]}; this address knows: {known}.",
                code="query_parameter_unknown",
                errors=[FieldError(f"query:{name}", "unknown", "Leave it out.") for name in unknown],
            )


def _told(text: str) -> tuple[str, str]:
    """A docstring as summary and description; there is none where the summary has said everything."""
    end = _FIRST_SENTENCE.search(text)
    summary = " ".join((text[: end.start()] if end else text).split())
    return summary, text if end and text[end.end() :].strip() else ""


def _query_names(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        annotation: Any = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, info in annotation.model_fields.items():
                yield info.alias or name
        else:
            yield parameter.alias
    for inner in dependant.dependencies:
        yield from _query_names(inner)


class Router(APIRouter):
    """The routes of one resource; operation ids are `<tag>_<handler>`, and `about` tells of the tag in the document."""

    def __init__(self, *, prefix: str, tag: str, about: str = "") -> None:
        self.tag = {"name": tag, "description": about}
        super().__init__(
            prefix=prefix,
            tags=[tag],
            route_class=StrictRoute,
            generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}".replace("-", "_"),
        )
