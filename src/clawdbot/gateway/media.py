"""Files from people: taken in while they come, kept once, given back to whoever sent them.

What a file is its bytes tell. Nothing of it is ever run: whatever is no picture and no sound is
saved, not shown, and all of it is under a policy that lets it do nothing.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import msgspec
import structlog
from aiohttp import web

from clawdbot.domain.errors import BadInput, Denied, DiskLow, Failure, StoreFailed, TooLarge
from clawdbot.domain.inbound import OWN_CHANNELS, Inbound
from clawdbot.domain.media import PICTURES, PLAIN, SOUNDS, kind_of, named
from clawdbot.domain.messages import Attachment, Part, Source
from clawdbot.domain.people import User
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.settings import Media as Limits
from clawdbot.domain.text import say
from clawdbot.gateway.body import json
from clawdbot.gateway.route import Caller, Permission, Route
from clawdbot.store import media, people
from clawdbot.store.media import Draft, Files, Row

_MEBIBYTE = 1 << 20
_CHUNK_S = 15.0
_WHOLE_S = 900.0
_AT_ONCE, _AT_ONCE_EACH = 16, 4
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was taken in; a message names it by its `id`."""

    id: str
    name: str
    kind: str
    size: int


class Media:
    """Takes files in, gives them back, forgets them in time."""

    def __init__(
        self, db: Db, clock: Clock, files: Files, limits: Limits, room_left: Callable[[], bool]
    ) -> None:
        """Keep files while there is room on the disk."""
        self._db = db
        self._room_left = room_left
        self._clock = clock
        self._files = files
        self._limits = limits
        self._taking: dict[str, str] = {}
        # Between a file's name and its row, and between a look at rows and the end of a file.
        self._still = asyncio.Lock()
        self._size = 0
        self._log = structlog.get_logger("media")

    async def upload(self, request: web.Request, caller: Caller) -> web.Response:
        """Take in the body as a file, named by the query."""
        row = await self.take(caller.who, request.query.get("name", ""), request)
        return json(Uploaded(id=row.id, name=row.name, kind=row.kind, size=row.size), 201)

    async def download(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Give a file back to whoever sent it; to nobody else is there such a file."""
        id_, user = request.match_info["id"], caller.who.id
        row = await self._db.read(lambda tx: media.get(tx, user, id_))
        if row is None:
            raise web.HTTPNotFound
        shown = row.kind in PICTURES | SOUNDS and "save" not in request.query
        where = (
            f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(row.name, safe='')}"
        )
        kind = f"{PLAIN}; charset=utf-8" if row.kind == PLAIN else row.kind
        headers = _HEADERS | {"Content-Disposition": where, "Content-Type": kind}
        return web.FileResponse(self._files.path(row.hash), headers=headers)

    async def take(self, user: User, name: str, request: web.Request) -> Row:
        """Keep what comes; raises TooLarge, BadInput where it is cut short, DiskLow."""
        self._refuse_early(user, request)
        try:
            async with asyncio.timeout(_WHOLE_S):
                with self._files.draft() as draft:
                    self._taking[draft.name] = user.id
                    try:
                        await self._write(user, draft, request)
                        return await self._keep(user, draft, named(name))
                    finally:
                        del self._taking[draft.name]
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error
        except OSError as error:
            raise (DiskLow if error.errno in _FULL else StoreFailed) from error

    async def forget(self, user: str, most: int) -> bool:
        """Remove some of what a user sent, not what others sent too; True if there may be more."""
        async with self._still:
            gone = await self._db.write(lambda tx: media.forget(tx, user, most))
            for hashed in gone:
                await self._drop(hashed)
        return bool(gone)

    async def tidy(self) -> None:
        """Forget what is old, remove what belongs to nobody, measure what stays."""
        now, limits = self._clock.now(), self._limits
        old, unsent = now - limits.keep_s, now - limits.unsent_s
        try:
            await self._db.write(lambda tx: media.expire(tx, old, unsent))
            await self.sweep()
        except (OSError, StoreFailed) as error:
            self._log.warning("files not looked through", reason=str(error))

    async def sweep(self) -> None:
        """Remove what belongs to nobody, measure what stays; raises OSError, StoreFailed."""
        size = 0
        if stale := set(await asyncio.to_thread(self._files.drafts)) - self._taking.keys():
            await asyncio.to_thread(self._files.discard, stale)
        for prefix in await asyncio.to_thread(self._files.prefixes):
            async with self._still:
                known = await self._known(prefix)
                size += await asyncio.to_thread(self._files.sweep, prefix, known)
        self._size = size

    def _refuse_early(self, user: User, request: web.Request) -> None:
        """Refuse what need not be read to be refused."""
        mine = [name for name, of in self._taking.items() if of == user.id]
        if len(self._taking) >= _AT_ONCE or len(mine) >= _AT_ONCE_EACH:
            raise web.HTTPTooManyRequests
        if "Content-Encoding" in request.headers:
            # A compressed body that is cut short would pass for a whole one.
            raise web.HTTPUnsupportedMediaType
        self._check(user, request.content_length or 0)

    def _check(self, user: User, size: int) -> None:
        if size > self._limits.file_mb * _MEBIBYTE:
            text = "A file may have at most {most} MB."
            raise TooLarge(say(user.language, text, most=self._limits.file_mb))
        if self._size + size > self._limits.all_mb * _MEBIBYTE or not self._room_left():
            raise DiskLow

    async def _write(self, user: User, draft: Draft, request: web.Request) -> None:
        async for chunk in _chunks(request):
            self._check(user, draft.size + len(chunk))
            await asyncio.to_thread(draft.write, chunk)
        if not draft.size:
            raise BadInput(say(user.language, "This file is empty."))

    async def _keep(self, user: User, draft: Draft, name: str) -> Row:
        row = Row(
            id=self._clock.ulid(),
            user_id=user.id,
            hash=draft.hash,
            name=name,
            kind=kind_of(draft.head),
            size=draft.size,
            created_at=self._clock.now(),
        )
        most = self._limits.user_mb * _MEBIBYTE

        def work(tx: Tx) -> None:
            present = people.get(tx, user.id)
            if present is None or present.disabled_at is not None:
                raise Denied  # shut out since the upload began
            if media.used(tx, user.id) + row.size > most:
                text = "Your files would have more than {most} MB here. Ask an owner for room."
                raise TooLarge(say(user.language, text, most=self._limits.user_mb))
            media.add(tx, row)

        async with self._still:
            await asyncio.to_thread(self._files.keep, draft)
            try:
                await self._db.write(work)
            except Failure:
                await self._drop(row.hash)
                raise
            self._size += row.size
        return row

    async def _known(self, prefix: str) -> set[str]:
        return await self._db.read(lambda tx: media.known(tx, prefix))

    async def _drop(self, hashed: str) -> None:
        """Remove a file if nobody has it."""
        if hashed not in await self._known(hashed):
            await asyncio.to_thread(self._files.remove, hashed)


def routes(kept: Media) -> tuple[Route, ...]:
    """Serve what takes files in and gives them back."""
    user, one = Permission.USER, "/media/{id:[0-9A-Za-z]{26}}"
    return (
        Route(method="POST", path="/media", permission=user, handler=kept.upload),
        Route(method="GET", path=one, permission=user, handler=kept.download),
    )


def attached(tx: Tx, inbound: Inbound) -> tuple[Inbound, bool]:
    """Fill in what is attached from its row; False where a file is not the sender's.

    Only who logged in can have uploaded anything. What is in a file nobody vouches for.
    """
    parts: list[Part] = []
    for part in inbound.parts:
        if not isinstance(part, Attachment):
            parts.append(part)
            continue
        row = media.get(tx, inbound.sender.id, part.id)
        if row is None or inbound.receiver not in OWN_CHANNELS:
            return inbound, False
        parts.append(
            Attachment(
                id=row.id,
                name=row.name,
                kind=row.kind,
                size=row.size,
                source=Source.OTHER,
                taint=True,
            )
        )
    return msgspec.structs.replace(inbound, parts=tuple(parts)), True


def sent(tx: Tx, inbound: Inbound, conversation: str, now: float) -> None:
    """Note that what is attached was sent: it stays for longer."""
    for part in inbound.parts:
        if isinstance(part, Attachment):
            media.said(tx, part.id, conversation, now)


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    """Read a body by the mebibyte; raises BadInput where it is cut short, TimeoutError."""
    held = bytearray()
    try:
        while True:
            async with asyncio.timeout(_CHUNK_S):
                piece = await request.content.readany()
            held += piece
            if held and (len(held) >= _MEBIBYTE or not piece):
                yield bytes(held)
                held.clear()
            if not piece:
                return
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BadInput from error
