"""What the model sees of files that people attach: pictures as such, plain text as a quote.

Everything else stays a line with its name. What is in a file nobody vouches for: it stays tainted.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from clawdbot.agent.context import FILE_TEXT_BYTES
from clawdbot.domain.media import PICTURES, PLAIN
from clawdbot.domain.messages import Attachment, Image, Message, Part, Quote, kinds
from clawdbot.domain.ports import Db
from clawdbot.store import media
from clawdbot.store.media import Files

# Every protocol takes so large a picture, and so much of them in a request.
_PICTURE_BYTES, _PICTURES_BYTES = 3_500_000, 8_000_000


class Sight:
    """Opens what was attached."""

    def __init__(self, db: Db, files: Files) -> None:
        self._db = db
        self._files = files

    async def shown(self, user: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Put in place of attachments what a model can take; of many pictures the latest."""
        if Attachment not in kinds(messages):
            return tuple(messages)
        room, shown = _PICTURES_BYTES, []
        for message in reversed(messages):
            parts = []
            for part in message.parts:
                parts.append(opened := await self._opened(user, part, room))
                room -= len(opened.data) if isinstance(opened, Image) else 0
            shown.append(msgspec.structs.replace(message, parts=tuple(parts)))
        return tuple(reversed(shown))

    async def _opened(self, user: str, part: Part, room: int) -> Part:
        if not isinstance(part, Attachment):
            return part
        if part.kind == PLAIN and (data := await self._read(user, part, FILE_TEXT_BYTES)):
            cut = "\n(cut here)" if part.size > FILE_TEXT_BYTES else ""
            text = data.decode("utf-8", "replace").removesuffix("\ufffd") + cut
            return Quote(author=part.name, text=text, source=part.source, taint=part.taint)
        fits = part.size <= min(_PICTURE_BYTES, room)
        if part.kind in PICTURES and fits and (data := await self._read(user, part, part.size)):
            picture = Image(media_type=part.kind, data=data, name=part.name, source=part.source)
            return msgspec.structs.replace(picture, taint=part.taint)
        return part.line

    async def _read(self, user: str, part: Attachment, most: int) -> bytes:
        row = await self._db.read(lambda tx: media.get(tx, user, part.id))
        with suppress(OSError):
            return await asyncio.to_thread(self._files.read, row.hash, most) if row else b""
        return b""
