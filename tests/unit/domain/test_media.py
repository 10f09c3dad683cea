"""What a file is, by its bytes, and what it may be called."""

import pytest

from clawdbot.domain.media import HEAD_BYTES, kind_of, named


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0..JFIF", "image/jpeg"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"RIFF\n\r\x03\x04WAVEfmt ", "audio/wav"),
        (b"OggS\x00\x02....OpusHead", "audio/ogg"),
        (b"ID3\x04....", "audio/mpeg"),
        (b"\xff\xfb\x90\x64....", "audio/mpeg"),
        (b"fLaC....", "audio/flac"),
        (b"\x1aE\xdf\xa3..webm..A_OPUS..", "audio/webm"),
        (b"\x1aE\xdf\xa3..webm..V_VP8..A_OPUS..", "video/webm"),
        (b"\x1aE\xdf\xa3..webm..A_OPUS..V_VP8..", "video/webm"),
        (b"\x00\x00\x00\x1cftypM4A ....", "audio/mp4"),
        (b"\x00\x00\x00\x1cftypiso5..hdlr..soun..", "audio/mp4"),
        (b"\x00\x00\x00\x1cftypisom..soun..vide..", "video/mp4"),
        (b"\x00\x00\x00\x1cftypisom..vide..soun..", "video/mp4"),
        (b"\x00\x00\x00\x1cftypheic....", "application/octet-stream"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"PK\x03\x04....", "application/zip"),
        (b"\x1f\x8b\x08....", "application/gzip"),
        (b"plain \x1b[31mwords\x1b[0m\r\n\ttab", "text/plain"),
        ("数据".encode() * 1000 + b"\xe6", "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>", "text/plain"),
        (b"MZ\x90\x00\x03", "application/octet-stream"),
        (b"caf\xe9 in Latin-1", "application/octet-stream"),
        ("words".encode("utf-16"), "application/octet-stream"),
        (b" \x89PNG\r\n\x1a\n", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_a_kind_is_told_by_the_bytes(head: bytes, kind: str) -> None:
    assert kind == kind_of(head[:HEAD_BYTES])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\report.pdf", "report.pdf"),
        ("/", "file"),
        ("", "file"),
        ("...", "file"),
        (".bashrc", "bashrc"),
        ("a\0b\r\nc.txt", "ab c.txt"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("\u200b\u2066\ufeff", "file"),
        ("数据 备份.zip", "数据 备份.zip"),
        ("x" * 300 + ".tar.gz", "x" * 61 + ".gz"),
        ("x" * 300, "x" * 64),
        ("x." + "y" * 300, "x." + "y" * 62),
    ],
)
def test_a_name_is_plain(name: str, shown: str) -> None:
    assert shown == named(name)
