"""What may be asked of a service: one line an operation, for programs and for the panel's forms.

An operation is a method of a part under an HTTP method, a path and an area. Its parameters are
filled by their types: `Caller` is who asks, a name of the path comes from there, a struct is the
JSON body or, where nothing changes, the query. `describe` tells it all as OpenAPI 3.1.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import cache
from typing import get_origin, get_type_hints

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput
from clawdbot.domain.people import Area
from clawdbot.gateway.body import API, Problem, json, read
from clawdbot.gateway.route import Caller, Permission, Route

PREFIX = f"{API}v1"

_IN_PATH = re.compile(r"{(\w+)}")
_MANY = (tuple, list, frozenset, set)
_CHANGES = frozenset({"POST", "PUT", "PATCH"})

Call = Callable[..., Awaitable[object]]
Document = dict[str, object]


class Operation(msgspec.Struct, frozen=True):
    """One thing to ask: `call` is a part's method, `area` opens it (None: to all who log in)."""

    method: str
    path: str
    call: Call
    area: Area | None = None

    @property
    def name(self) -> str:
        """Name the operation in its document: `Control.people`."""
        return self.call.__qualname__

    @property
    def takes(self) -> dict[str, type[object]]:
        """Tell the call's parameters with their types."""
        return {name: kind for name, kind in _hints(self.call).items() if name != "return"}

    @property
    def gives(self) -> type[object]:
        """Tell what the call returns."""
        return _hints(self.call)["return"]


def named(call: Callable[..., object]) -> str:
    """Name a call's route on the Unix socket: `status`, `Trust.listed`."""
    return call.__qualname__.removeprefix("Control.")


class Parts(msgspec.Struct, frozen=True):
    """Whom calls may belong to: parts that are there, and those that open when one is asked."""

    here: tuple[object, ...]
    more: Callable[[], Awaitable[Iterable[object]]]

    async def owner(self, call: Callable[..., object]) -> object:
        """Find the part whose method a call is, its own or an inherited one."""
        for part in self.here:
            if _has(part, call):
                return part
        return next(part for part in await self.more() if _has(part, call))


def served(operations: Iterable[Operation], parts: Parts) -> tuple[Route, ...]:
    """Serve operations by the parts that they belong to, and their description."""
    table = tuple(operations)

    async def described(_: web.Request, __: Caller) -> web.Response:
        return json(describe(table))

    about = Route(
        method="GET",
        path=f"{PREFIX}/openapi.json",
        permission=Permission.USER,
        handler=described,
    )
    return (about, *(_route(each, parts) for each in table))


def describe(operations: Iterable[Operation]) -> Document:
    """Describe operations as an OpenAPI 3.1 document, from the structs that they take and give."""
    table = tuple(operations)
    kinds = {Problem, *(kind for each in table for kind in _kinds(each))}
    schemas, components = msgspec.json.schema_components(
        kinds, schema_hook=_anything, ref_template="#/components/schemas/{name}"
    )
    known: dict[object, Document] = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Document]] = {}
    for each in table:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _described(each, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clawdbot", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _has(part: object, call: Callable[..., object]) -> bool:
    return getattr(type(part), call.__name__, None) is call


def _route(operation: Operation, parts: Parts) -> Route:
    async def answer(request: web.Request, caller: Caller) -> web.Response:
        takes = operation.takes.items()
        given = [await _given(request, caller, name, kind) for name, kind in takes]
        found = await operation.call(await parts.owner(operation.call), *given)
        return web.Response(status=204) if found is None else json(found)

    return Route(
        method=operation.method,
        path=PREFIX + operation.path,
        permission=Permission.USER,
        handler=answer,
        area=operation.area,
    )


async def _given(request: web.Request, caller: Caller, name: str, kind: type[object]) -> object:
    if kind is Caller:
        return caller
    if name in request.match_info:
        return _converted(request.match_info[name], kind)
    if request.method in _CHANGES:
        return await read(request, kind)
    return _converted(dict(_asked(request, kind)), kind)


def _asked(request: web.Request, kind: type[object]) -> Iterator[tuple[str, object]]:
    """Read a query for a struct: what may be many as a list, else the last; empty is absent."""
    many = {f.encode_name for f in _fields(kind) if get_origin(f.type) in _MANY}
    for name in dict.fromkeys(request.query):
        values = [value for value in request.query.getall(name) if value]
        if values:
            yield name, values if name in many else values[-1]


def _converted(value: object, kind: type[object]) -> object:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(str(error)) from error


def _fields(kind: type[object]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ()


@cache
def _hints(call: Call) -> dict[str, type[object]]:
    """Read the types with the first use: a service starts without."""
    return get_type_hints(call)


def _anything(kind: type[object]) -> Document:
    if kind is object:
        return {"description": "Any value."}
    raise NotImplementedError


def _kinds(operation: Operation) -> Iterator[type[object]]:
    """List the types that a description must know."""
    for kind in operation.takes.values():
        if kind is not Caller:
            yield kind
            yield from (f.type for f in _fields(kind))
    if operation.gives is not type(None):
        yield operation.gives


def _described(operation: Operation, known: dict[object, Document]) -> Document:
    places = _IN_PATH.findall(operation.path)
    told: Document = {
        "operationId": operation.name.replace(".", "_"),
        "summary": (operation.call.__doc__ or "").split("\n", 1)[0],
        "tags": [operation.area or "own"],
    }
    parameters: list[Document] = []
    for name, kind in operation.takes.items():
        if name in places:
            schema = known[kind]
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
        elif kind is not Caller and operation.method in _CHANGES:
            content = {"application/json": {"schema": known[kind]}}
            told["requestBody"] = {"required": True, "content": content}
        elif kind is not Caller:
            parameters += [
                {
                    "name": f.encode_name,
                    "in": "query",
                    "required": f.required,
                    "schema": known[f.type],
                }
                for f in _fields(kind)
            ]
    if parameters:
        told["parameters"] = parameters
    told["responses"] = _answers(operation, known)
    return told


def _answers(operation: Operation, known: dict[object, Document]) -> Document:
    problem = {"application/problem+json": {"schema": known[Problem]}}
    fails: Document = {
        str(status): {"description": meaning, "content": problem}
        for status, meaning in (
            (400, "What was given does not fit; nothing was changed."),
            (401, "Nobody is logged in."),
            (403, "This needs a permission that the caller does not have."),
            (404, "There is no such thing, or it is not the caller's to see."),
        )
    }
    if operation.gives is type(None):
        return {"204": {"description": "Done."}} | fails
    content = {"application/json": {"schema": known[operation.gives]}}
    return {"200": {"description": "Done.", "content": content}} | fails
