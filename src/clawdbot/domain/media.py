"""What people send as files: what kind each is, by its own bytes and nobody's word; pure."""

import re

from clawdbot.domain.people import shown

HEAD_BYTES = 4096
UNKNOWN, PLAIN = "application/octet-stream", "text/plain"
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
SOUNDS = frozenset(
    {"audio/ogg", "audio/webm", "audio/mp4", "audio/mpeg", "audio/wav", "audio/flac"}
)

_NAME_MOST, _NAME_READ = 64, 1000
_FIRST: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"RIFF....WAVE", "audio/wav"),
        (rb"OggS", "audio/ogg"),
        (rb"fLaC", "audio/flac"),
        (rb"ID3|\xff[\xfb\xfa\xf3\xf2]", "audio/mpeg"),
        (rb"\x1aE\xdf\xa3(?!.*V_).*A_(OPUS|VORBIS)", "audio/webm"),
        (rb"\x1aE\xdf\xa3", "video/webm"),
        (rb"....ftyp(M4A |(?!.*vide).*soun)", "audio/mp4"),
        (rb"....ftyp(iso|mp4|M4V|avc1|dash|qt)", "video/mp4"),
        (rb"%PDF-", "application/pdf"),
        (rb"PK\x03\x04", "application/zip"),
        (rb"\x1f\x8b\x08", "application/gzip"),
    )
)
# What is no text, however it is encoded: most controls, and half a letter before the end.
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")


def kind_of(head: bytes) -> str:
    """Tell a file's kind by its first HEAD_BYTES; code, also a page's, is plain text."""
    for pattern, kind in _FIRST:
        if pattern.match(head):
            return kind
    text = head.decode("utf-8", "replace")
    # The last letter may be cut.
    return UNKNOWN if not head or _BINARY.search(text[:-1] if len(text) > 1 else text) else PLAIN


def named(name: str) -> str:
    """Make a sender's file name fit to be shown and saved: one plain name, its ending kept."""
    last = shown(re.split(r"[/\\]", name)[-1], _NAME_READ).strip(" .")
    stem, dot, ending = last.rpartition(".")
    if len(last) > _NAME_MOST and dot and len(ending) < _NAME_MOST // 4:
        return f"{stem[: _NAME_MOST - len(ending) - 1]}.{ending}"
    return last[:_NAME_MOST] or "file"
