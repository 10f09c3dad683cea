"""What searching costs in a store of 100,000 messages. `python -m bench.search`."""

import asyncio
import itertools
import random
import statistics
import tempfile
import time
from pathlib import Path

from clawdbot.domain.messages import Message, fixed, own
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.gateway.search import Search
from clawdbot.store import conversations, sqlite
from clawdbot.store.conversations import Conversation, Entry

MESSAGES = 100_000
GOAL_MS = 50.0
ROUNDS = 10
_TURNS_EACH = 50
_AT_ONCE = 500
# Of a language's words some are everywhere, most are rare: the n-th is n times rarer than the 1st.
_HAN = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之"
    "年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样"
)
_FIRSTS, _SECONDS = (
    ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t"],
    ["a", "e", "i", "o", "u", "ar", "en", "ist"],
)
_SYLLABLES = ["".join(parts) for parts in itertools.product(_FIRSTS, _SECONDS)]
_QUERIES = (
    "the",
    "the an",
    "a",
    "server bar",
    "needle",
    '"the server"',
    "nothinglikeit",
    "的",
    "一",
    "数据库",
    "备份 数据",
    "是不",
    "磁盘空间 the",
    "没有的东西",
)


class Text:
    """Writes words by the same dice at each run."""

    def __init__(self) -> None:
        self._dice = random.Random(4)
        english = ["the", "an", "server", "backup"]
        english += ["".join(parts) for parts in itertools.product(_SYLLABLES, _SYLLABLES[:60])]
        self._english = english
        self._shares = list(itertools.accumulate(1 / n for n in range(1, len(english) + 1)))
        self._han = list(itertools.accumulate(1 / n for n in range(1, len(_HAN) + 1)))

    def english(self, words: int) -> str:
        """Write some words of English sound."""
        return " ".join(self._dice.choices(self._english, cum_weights=self._shares, k=words))

    def chinese(self, letters: int) -> str:
        """Write some letters of Chinese, now and then a word that makes sense."""
        text = "".join(self._dice.choices(_HAN, cum_weights=self._han, k=letters))
        return text + self._dice.choice(("数据库备份。", "磁盘空间不足。", "今天天气好。", ""))


async def fill(db: sqlite.SqliteDb, messages: int) -> None:
    """Write conversations of one user and of another, half English, half Chinese."""
    text = Text()
    for first in range(0, messages // 2, _AT_ONCE):

        def work(tx: Tx, first: int = first) -> None:
            for turn in range(first, min(first + _AT_ONCE, messages // 2)):
                _write(tx, text, turn)

        await db.write(work)


async def measure(folder: Path, messages: int = MESSAGES) -> dict[str, float]:
    """Give the slowest of each query's rounds in milliseconds, then the median of them all."""
    async with sqlite.opened(folder / "clawdbot.db", Store(low_water_mb=0)) as db:
        began = time.perf_counter()
        await fill(db, messages)
        size = (folder / "clawdbot.db").stat().st_size / 1e6
        print(f"{messages} messages, {size:.0f} MB, in {time.perf_counter() - began:.0f} s")
        search, worst, every = Search(db), {}, []
        began = time.perf_counter()
        await search.catch_up()
        each = (time.perf_counter() - began) / (messages // 2) * 1000
        print(f"{each:.2f} ms to index a turn")
        for query in _QUERIES:
            took, found = [], await search.find("u0", query)
            for _ in range(ROUNDS):
                began = time.perf_counter()
                await search.find("u0", query)
                took.append((time.perf_counter() - began) * 1000)
            every += took
            worst[f"{query} ({len(found)})"] = max(took)
        return worst | {"p50": statistics.median(every), "worst": max(every)}


def _write(tx: Tx, text: Text, turn: int) -> None:
    number, position = divmod(turn, _TURNS_EACH)
    name, user = f"c{number}", f"u{number % 2}"
    if not position:
        lane = Conversation(
            id=name,
            receiver="web",
            scope=f"direct:{user}:{name}",
            user_id=user,
            address=f'{{"channel":"web","account":"main","chat":"{user}:{name}"}}'.encode(),
            title=text.english(5),
            model="",
            session_id=name,
            session_from=turn,
            session_last=turn,
            next_position=_TURNS_EACH + 1,
        )
        conversations.add(tx, lane, turn)
    entry = Entry(
        conversation=name, position=position + 1, session=name, turn=f"t{turn}", user=user
    )
    conversations.append(tx, entry, [(m, 50) for m in _said(text, turn)], turn)


def _said(text: Text, turn: int) -> tuple[Message, Message]:
    rare = " needle" if turn % 5000 == 0 else ""
    if turn % 2:
        return own(text.chinese(30)), fixed(text.chinese(200) + rare)
    return own(text.english(12)), fixed(text.english(60) + rare)


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="clawdbot-bench-") as folder:
        for name, value in asyncio.run(measure(Path(folder))).items():
            mark = " (missed)" if value > GOAL_MS else ""
            print(f"{name:28} {value:8.2f} ms{mark}")


if __name__ == "__main__":
    main()
