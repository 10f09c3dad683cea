"""A QR code's path has the squares that the library's own matrix has, each once."""

import re

import pytest
import segno
from hypothesis import given, settings, strategies

from clawdbot.panel.qr import drawn

URI = "otpauth://totp/Clawdbot:Ann%20%E8%89%BE?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=C"
QUIET = 4


def squares(path: str) -> list[tuple[int, int]]:
    """List the squares that a path covers."""
    runs = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", path)
    assert path == "".join(f"M{x} {y}h{w}v1h-{back}z" for x, y, w, back in runs)
    assert all(width == back for *_, width, back in runs)
    return [(x, int(y)) for left, y, w, _ in runs for x in range(int(left), int(left) + int(w))]


@settings(max_examples=20)
@given(strategies.text(min_size=1, max_size=300))
def test_the_path_is_the_matrix(text: str) -> None:
    made, matrix = drawn(text), segno.make(text, micro=False, error="m").matrix
    expected = [
        (x + QUIET, y + QUIET) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    ]
    assert expected == squares(made.path)
    assert len(matrix) + 2 * QUIET == made.size


@pytest.mark.parametrize("name", ["A", "%E8%89%BE" * 64])
def test_the_margin_is_empty_whatever_the_length(name: str) -> None:
    made = drawn(URI.replace("Ann%20%E8%89%BE", name))
    inside = range(QUIET, made.size - QUIET)
    assert all(x in inside and y in inside for x, y in squares(made.path))
