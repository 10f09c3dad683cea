"""A request's body: whole, in time, UTF-8; whatever else a client sends is refused.

Knows no route. A form is the browser's plain kind; there is no upload.
"""

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

from clawdbot.domain.errors import BadInput

_BODY_S = 10.0
_FIELDS_MOST = 20
_FORM = "application/x-www-form-urlencoded"


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
