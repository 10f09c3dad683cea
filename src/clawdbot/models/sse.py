"""Server-sent events out of network chunks, however they are cut; pure.

Only their data: both protocols repeat an event's name in it.
"""

from clawdbot.domain.errors import ModelMalformed

EVENT_MAX_BYTES = 1_048_576

_FIELD = b"data: "
_BOM = b"\xef\xbb\xbf"


class Parser:
    """Collects the events of one stream."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._begun = False
        self._after_return = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Give the data of each event that a chunk completes; raises ModelMalformed."""
        if self._after_return or b"\r" in chunk:
            chunk = self._with_plain_ends(chunk)
        held = self._held
        looked = max(len(held) - 1, 0)
        held += chunk
        end = held.rfind(b"\n\n", looked)
        if end < 0:
            if len(held) > EVENT_MAX_BYTES:
                raise ModelMalformed(f"an event of more than {EVENT_MAX_BYTES} bytes")
            return []
        whole = bytes(held[:end])
        del held[: end + 2]
        if not self._begun:
            self._begun = True
            whole = whole.removeprefix(_BOM)
        return _events(whole)

    def close(self) -> list[bytes]:
        """Give what the stream's end completes: some servers save the last empty line."""
        return self.feed(b"\n\n")

    def _with_plain_ends(self, chunk: bytes) -> bytes:
        if self._after_return:
            chunk = chunk.removeprefix(b"\n")
            self._after_return = not chunk
        if chunk:
            self._after_return = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(whole: bytes) -> list[bytes]:
    lines = whole.removeprefix(_FIELD).split(b"\n\n" + _FIELD)
    if whole.startswith(_FIELD) and whole.count(b"\n") == 2 * len(lines) - 2 and b"" not in lines:
        return lines  # nearly all streams: each event is one line
    return [data for block in whole.split(b"\n\n") if (data := _data(block))]


def _data(block: bytes) -> bytes:
    fields = [line.partition(b":") for line in block.split(b"\n")]
    return b"\n".join([value.removeprefix(b" ") for name, _, value in fields if name == b"data"])
