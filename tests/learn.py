"""Make the offline assistant's weights from its phrases: `python -m tests.learn`."""

from collections.abc import Iterator
from pathlib import Path

from clawdbot.models.intent import Words, learn

PHRASES = Path(__file__).parents[1] / "src" / "clawdbot" / "models" / "phrases"
WEIGHTS = PHRASES / "weights.bin"


def rows(path: Path) -> Iterator[list[str]]:
    """Read a table's lines, each as its cells."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


def places() -> dict[str, str]:
    """Read the names of places, each with its time zone."""
    return {name: zone for zone, *names in rows(PHRASES / "places.tsv") for name in names}


def words() -> Words:
    """Read the words and their kinds."""
    return Words((PHRASES / "words.tsv").read_text(encoding="utf-8"), places())


def phrases() -> list[tuple[str, str]]:
    """Read what is learned from: intents and phrases."""
    tables = (PHRASES / "en.tsv", PHRASES / "zh.tsv")
    return [(intent, phrase) for table in tables for intent, phrase in rows(table)]


if __name__ == "__main__":
    WEIGHTS.write_bytes(learn(words(), phrases()))
