"""A start and a plain turn load what is listed in `started.txt`, and nothing else of ours.

What only some use (a tool's machinery, the browser, a page, a password) is imported where it is
used. Whoever adds a line to the list makes every start dearer: `python -m bench.spine` tells by
how much.
"""

from pathlib import Path

import pytest

from bench.stage import FIRST_CHAT, Bot, Telegram
from tests.architecture.tree import lines_of_list
from tests.fakes.models import RemoteModels
from tests.fakes.serving import spawned

# Nobody needs these for a plain answer; some are extras.
LATER = {
    "argon2", "cryptography", "ctypes", "httpx", "httpx2", "jinja2", "markdown_it", "mcp", "nh3",
    "prometheus_client", "prompt_toolkit", "selenium", "trio",
}  # fmt: skip
LIST = Path(__file__).with_name("started.txt")


class Traced(Bot):
    """A service that notes what it imports, from its start to its end."""

    def _command(self) -> list[str]:
        python, *rest = super()._command()
        return [python, "-X", "importtime", *rest]

    @property
    def loaded(self) -> set[str]:
        """List every module that was imported."""
        lines = self._log.read_text().splitlines()
        return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time")}


@pytest.mark.timeout(120)
async def test_a_start_and_a_plain_turn_load_what_is_listed(tmp_path: Path) -> None:
    async with (
        spawned("tests.fakes.models") as server,
        RemoteModels(server.url) as models,
        Telegram() as telegram,
    ):
        url = f"{models.url}/v1"
        bot = Traced(kind="clawdbot", home=tmp_path / "home", telegram=telegram, models=url)
        async with bot.alive():
            await bot.ask(FIRST_CHAT)
    ours = {name for name in bot.loaded if name.startswith("clawdbot.")}
    known = {f"clawdbot.{line}" for line in lines_of_list(LIST)}
    assert set() == ours - known, "import it where it is used, or list it"
    assert set() == known - ours, "no start loads it any more: take it from the list"
    assert set() == LATER & {name.partition(".")[0] for name in bot.loaded}
