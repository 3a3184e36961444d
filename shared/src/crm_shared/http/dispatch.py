"""The way from a request to its handler and back: one route table, arguments, one place where errors become answers.

FastAPI declares the routes, validates and describes them; its own way to a handler (eight layers, two exit stacks, a
solver that asks anew at each request what never changes) took three quarters of a read. What our routes have in common
makes a shorter one: each has exactly one dependency, its call, and at most one body. Everything else (pages that aren't
routes of ours, wrong methods, unknown addresses) goes on to FastAPI.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import orjson
from fastapi import FastAPI, HTTPException, Response
from fastapi._compat import ModelField, field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined as Undefined
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect

from crm_shared.http.middleware import App, Receive, Scope, Send
from crm_shared.http.router import JsonRequest, StrictRoute


class Dispatcher:
    """Plain ASGI: our routes the short way, all else by `rest`."""

    def __init__(self, app: FastAPI, rest: App) -> None:
        self._app = app
        self._rest = rest
        self._plain: dict[tuple[str, str], _Leaf] = {}
        self._by_depth: defaultdict[tuple[str, int], list[_Leaf]] = defaultdict(list)
        for route in app.router.routes:
            if isinstance(route, StrictRoute):
                for method in route.methods or ():
                    self._add(method, route)

    def _add(self, method: str, route: StrictRoute) -> None:
        leaf = _Leaf(route)
        if route.param_convertors:
            self._by_depth[method, route.path.count("/")].append(leaf)
        else:
            self._plain.setdefault((method, route.path), leaf)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        leaf = self._find(scope) if scope["type"] == "http" else None
        if leaf is None:
            await self._rest(scope, receive, send)
            return
        scope["app"], scope["route"], scope["endpoint"] = self._app, leaf.route, leaf.route.endpoint
        request = JsonRequest(scope, receive)
        try:
            response = await leaf.handle(request)
        except Exception as error:  # noqa: BLE001 # each kind has its handler, the last one takes all
            response = await self._refuse(request, error)
        if leaf.farewell:
            response.headers.update(leaf.farewell)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> "_Leaf | None":
        """The route of a request; its path parameters are noted in the scope."""
        method, path = scope["method"], scope["path"]
        leaf = self._plain.get((method, path))
        if leaf is not None:
            scope["path_params"] = {}
            return leaf
        for candidate in self._by_depth.get((method, path.count("/")), ()):
            match = candidate.route.path_regex.match(path)
            if match is not None:
                scope["path_params"] = match.groupdict()
                return candidate
        return None

    async def _refuse(self, request: JsonRequest, error: Exception) -> Response:
        handlers = self._app.exception_handlers
        handler: Any = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
        return await handler(request, error)


class _Leaf:
    """One route with what is the same for each of its requests."""

    def __init__(self, route: StrictRoute) -> None:
        self.route = route
        self._endpoint: Any = route.endpoint
        dependant = route.dependant
        if not _is_plain(dependant):
            raise TypeError(f"{route.path}: a handler takes its call, path and query parameters, and one body; no more")
        (call,) = dependant.dependencies  # `needs(…)` or `public(…)`, which ask for nothing but the request
        self._call, self._call_name = cast("Callable[[Any], Any]", call.call), cast("str", call.name)
        self._path = [(field, ("path", field.alias)) for field in dependant.path_params]
        self._query = [_taker(field) for field in dependant.query_params]
        self._body = dependant.body_params
        self.farewell = route.deprecation.headers if route.deprecation else None

    async def handle(self, request: JsonRequest) -> Response:
        """Run the handler with its arguments.

        Raises:
            RequestValidationError: they aren't valid.
        """
        query = request.scope["query_string"]
        if query:
            self.route.refuse_unknown(request)
        values: dict[str, Any] = {self._call_name: self._call(request)}
        errors: list[Any] = []
        for field, location in self._path:
            values[field.name], wrong = field.validate(request.path_params[field.alias], values, loc=location)
            errors.extend(wrong)
        for take in self._query:
            found, wrong = take(request.query_params if query else _NOTHING)
            values.update(found)
            errors.extend(wrong)
        body: Any = None
        if self._body:
            body = await _body(request)
            found, wrong = await request_body_to_args(self._body, body, embed_body_fields=False)
            values.update(found)
            errors.extend(wrong)
        if errors:
            raise RequestValidationError(errors, body=body)
        return await self._endpoint(**values)


def _is_plain(dependant: Dependant) -> bool:
    more: tuple[object, ...] = (
        *(dependant.header_params, dependant.cookie_params, dependant.body_params[1:], dependant.dependencies[1:]),
        *(dependant.request_param_name, dependant.response_param_name, dependant.background_tasks_param_name),
        *(dependant.http_connection_param_name, dependant.security_scopes_param_name),
    )
    return not any(more)


_NOTHING = QueryParams()
Taken: TypeAlias = tuple[Mapping[str, Any], Sequence[Any]]


def _taker(field: ModelField) -> Callable[[QueryParams], Taken]:
    """What reads one of a route's query parameters; a model takes all there are at once."""
    model: Any = field.field_info.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return partial(request_params_to_args, [field])
    lists = {
        info.alias or name for name, info in model.model_fields.items() if field_annotation_is_sequence(info.annotation)
    }
    name = field.name

    def take(given: QueryParams) -> Taken:
        raw = {key: given.getlist(key) if key in lists else given[key] for key in given}
        try:
            return {name: model.model_validate(raw)}, ()
        except ValidationError as error:
            return {}, [{**wrong, "loc": ("query", *wrong["loc"])} for wrong in error.errors(include_url=False)]

    return take


async def _body(request: JsonRequest) -> Any:
    """The parsed body; what isn't said to be JSON stays bytes, which no model takes."""
    try:
        raw = await request.body()
        if not raw:
            return Undefined
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = media_type == "application/json" or (
            media_type.startswith("application/") and media_type.endswith("+json")
        )
        return await request.json() if is_json else raw
    except orjson.JSONDecodeError as error:
        wrong = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "not JSON", "ctx": {"error": error.msg}}
        raise RequestValidationError([wrong], body=error.doc) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The body broke off.") from error
