"""A text as a QR code: the squares as one path of an SVG, which a page draws without any style."""

import msgspec

_QUIET = 4  # squares of nothing on each side, as the standard wants them


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A code of `size` squares a side, its margin among them; `path` draws the dark ones."""

    size: int
    path: str


def drawn(text: str) -> Drawn:
    """Draw a text; it bears that a seventh of the code cannot be read."""
    import segno  # noqa: PLC0415 - only who sets up a second factor needs it

    matrix = segno.make(text, micro=False, error="m").matrix
    runs = []
    for y, row in enumerate(matrix, _QUIET):
        x = 0
        while x < len(row):
            run = next((n for n, dark in enumerate(row[x:]) if not dark), len(row) - x)
            if run:
                runs.append(f"M{x + _QUIET} {y}h{run}v1h-{run}z")
            x += run + 1
    return Drawn(size=len(matrix) + 2 * _QUIET, path="".join(runs))
