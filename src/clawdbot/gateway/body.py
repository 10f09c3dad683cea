"""A request's body: whole, in time, UTF-8, of the type asked for; all else is refused. Answers.

Knows no route. A form is the browser's plain kind; there is no upload.
"""

import asyncio
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput
from clawdbot.domain.text import told

# Under it every error is a problem document.
API = "/api/"
# In whose language an error is told.
LANGUAGE = web.RequestKey("language", str)

_BODY_S = 10.0
_FIELDS_MOST = 20
_FORM = "application/x-www-form-urlencoded"

T = TypeVar("T")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for programs (`title`, `status`) and for people (`detail`); RFC 9457.

    `faults` tells it by the keys of settings, where it is theirs.
    """

    title: str
    status: int
    detail: str
    faults: dict[str, str] = {}


async def body(request: web.Request) -> bytes:
    """Read the body; raises BadInput where it is cut short or falsely compressed, 408 if slow."""
    try:
        async with asyncio.timeout(_BODY_S):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BadInput from error


async def form(request: web.Request) -> dict[str, str]:
    """Read a form's fields; raises BadInput for anything else."""
    if (text := await body(request)) and request.content_type != _FORM:
        raise BadInput
    try:
        fields = parse_qsl(
            text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MOST
        )
    except ValueError as error:
        raise BadInput from error
    return dict(fields)


async def read(request: web.Request, kind: type[T]) -> T:
    """Read a JSON body; raises BadInput for anything that does not fit."""
    return decoded(await body(request), kind)


def decoded(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Read JSON; raises BadInput for anything that does not fit."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadInput(str(error)) from error


def json(value: object, status: int = 200) -> web.Response:
    """Answer with a value as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json")


def problem(
    request: web.Request, status: int, title: str, detail: str, faults: dict[str, str] | None = None
) -> web.Response:
    """Answer with what went wrong, in the language of whoever asked."""
    from clawdbot.gateway import misfit  # noqa: PLC0415 - first needed here

    language = request.get(LANGUAGE, "en")
    words = misfit.told(language, told(language, detail))
    response = json(Problem(title=title, status=status, detail=words, faults=faults or {}), status)
    response.content_type = "application/problem+json"
    return response
