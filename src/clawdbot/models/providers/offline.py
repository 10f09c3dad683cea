"""The assistant without a model: it knows a few requests in English and Chinese, and says so.

Like any model it only says text or wishes for calls; policy and journal decide. It reads nothing
but the requester's own words of this turn, never a quote, a result or what others wrote.
"""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files

import msgspec

from clawdbot.domain.messages import Call, Message, Result, Role, Source, Text
from clawdbot.domain.text import say
from clawdbot.models import slots, when
from clawdbot.models.intent import NONE, Intents, Words
from clawdbot.models.request import Ask, CallDelta, Delta, TextDelta, Used

_LINES_MOST = 20
_LENGTH_MOST = 5000
_TALK = frozenset({"help", "greeting", "thanks", NONE})
_CHINESE = re.compile("[\u3400-\u9fff]")
_JAPANESE = re.compile("[\u3040-\u30ff]")
# Local time stands where every model finds it: in the first system message (agent/context.py).
_LOCAL = re.compile(r"It is (\d{4}-\d\d-\d\d \d\d:\d\d)")
# A plugin may stand in for the built-in tool: shutil.disk_usage tells bytes.
_BYTES = re.compile(r"total: ([1-9]\d*)\nused: (\d+)\nfree: (\d+)")
_GIB = 1 << 30


class _Turn(msgspec.Struct, frozen=True):
    """What was asked, text by text, what tools answered since, and what may be called.

    `now` is the user's local time, `first` tells that nothing was said before.
    """

    asked: tuple[str, ...]
    results: tuple[Result, ...]
    offered: frozenset[str]
    first: bool
    language: str
    now: datetime | None


class _Known(msgspec.Struct, frozen=True):
    """What is read from the package's data, once."""

    intents: Intents
    places: dict[str, str]


class Offline:
    """Answers from rules and a small linear model."""

    async def complete(self, ask: Ask) -> AsyncIterator[Delta]:
        """Wish for the calls that were asked for, or say what came of them."""
        turn = _turn(ask)
        replies = [_reply(turn, line) for text in turn.asked for line in _requests(text)]
        calls = [reply for reply in replies if isinstance(reply, Call)]
        if calls and not turn.results:
            for call in calls:
                yield CallDelta(call)
        else:
            said = [reply for reply in replies if isinstance(reply, str)]
            yield TextDelta("\n\n".join(_paragraphs(turn, said)))
        yield Used(tokens_in=0, tokens_out=0, model="offline")


def _turn(ask: Ask) -> _Turn:
    asked: list[str] = []
    results: list[Result] = []
    rest = list(ask.messages)
    while rest and rest[-1].role is not Role.USER:
        results[:0] = (part for part in rest.pop().parts if isinstance(part, Result))
    while rest and rest[-1].role is Role.USER:
        asked[:0] = filter(None, [_own(rest.pop())])
    chinese = any(_CHINESE.search(text) and not _JAPANESE.search(text) for text in asked)
    system = next((message.text for message in rest if message.role is Role.SYSTEM), "")
    local = _LOCAL.search(system)
    return _Turn(
        asked=tuple(asked),
        results=tuple(results),
        offered=frozenset(tool.name for tool in ask.tools),
        first=len(rest) <= 1,
        language="zh" if chinese else ask.language,
        now=datetime.fromisoformat(local[1]) if local else None,
    )


def _own(message: Message) -> str:
    parts = (part for part in message.parts if isinstance(part, Text))
    return "".join(p.text for p in parts if p.source is Source.OWN and not p.taint).strip()


def _requests(text: str) -> list[str]:
    """Take a text as one request, or each line where every line is one by itself."""
    lines = [line for line in text.splitlines() if line.strip()]
    if 1 < len(lines) <= _LINES_MOST:
        found = {_known().intents.find(line) for line in lines}
        return [text] if found & _TALK else lines
    return [text]


def _paragraphs(turn: _Turn, said: list[str]) -> Iterator[str]:
    yield from (_told(turn.language, result) for result in turn.results)
    yield from dict.fromkeys(said)
    if not turn.asked and not turn.results:
        yield say(turn.language, "I can only read text so far; please write it to me.")
    if turn.first:
        yield say(
            turn.language,
            "I am the offline assistant, no language model. The owner can set a model on the page "
            "Models or with `clawdbot setup`.",
        )


def _told(language: str, result: Result) -> str:
    if result.tool == "time_now" and not result.failed:
        return say(language, "It is {time}.", time=result.text)
    if result.tool == "disk_usage" and (sizes := _BYTES.fullmatch(result.text.strip())):
        total, used, free = map(int, sizes.groups())
        return say(
            language,
            "{free} GiB free of {total} GiB (used: {percent} %)",
            free=f"{free / _GIB:.1f}",
            total=f"{total / _GIB:.1f}",
            percent=round(100 * used / total),
        )
    if result.tool == "note_list" and result.text[:1].isdigit():
        return say(language, "Your notes:") + "\n" + result.text
    if result.tool == "reminder_list" and result.text[:1].isdigit():
        return say(language, "Your reminders:") + "\n" + result.text
    return result.text


def _reply(turn: _Turn, text: str) -> Call | str:
    """Turn one request into a call, or into what is to be said."""
    intent = _known().intents.find(text) if len(text) <= _LENGTH_MOST else NONE
    if intent in _TALK:
        return _talk(turn, intent)
    if intent not in turn.offered and not turn.results:
        return say(turn.language, "You are not allowed to do this here.")
    match intent:
        case "time_now":
            zone = slots.zone(text, _known().places)
            unclear = say(turn.language, "That place has no one time zone. Name a large city.")
            return unclear if zone is None else _call(intent, {"timezone": zone} if zone else {})
        case "note_add":
            kept = slots.note(text)
            empty = say(turn.language, "What shall I note? For example: note: buy milk")
            return _call(intent, {"text": kept}) if kept else empty
        case "note_remove":
            number = slots.note_number(text)
            unclear = say(turn.language, "Which note? Say one number, as in: delete note 2")
            return _call(intent, {"number": number}) if number else unclear
        case "reminder_add":
            return _reminder(turn, text)
        case _:
            return _call(intent, {})


def _talk(turn: _Turn, intent: str) -> str:
    match intent:
        case "greeting":
            return say(turn.language, "Hello. What can I do for you?")
        case "thanks":
            return say(turn.language, "You are welcome.")
        case "help":
            head = say(turn.language, "Ask me in your own words, for example:")
        case _:
            head = say(turn.language, "I did not understand that. I only know simple requests:")
    return "\n".join([head, *_examples(turn), "- /help"])


def _reminder(turn: _Turn, text: str) -> Call | str:
    if when.repeated(text):
        return say(turn.language, "I can remind you once, not again and again.")
    found = when.find(text, turn.now) if turn.now else None
    if found is None:
        return say(turn.language, "When? For example: remind me in 10 minutes to call Ann")
    words = slots.reminder(text, found.spans) or say(turn.language, "Time is up.")
    due: dict[str, object] = {"at": found.at} if found.at else {"in_seconds": found.in_seconds}
    return _call("reminder_add", {"text": words} | due)


def _examples(turn: _Turn) -> list[str]:
    """List a request for each tool that may be called."""
    language = turn.language
    lines = {
        "time_now": say(language, "what time is it in Tokyo"),
        "disk_usage": say(language, "how full is the disk"),
        "host_facts": say(language, "how much memory is free"),
        "note_add": say(language, "note: buy milk"),
        "note_list": say(language, "show my notes"),
        "note_remove": say(language, "delete note 2"),
        "reminder_add": say(language, "remind me in 10 minutes to call Ann"),
        "reminder_list": say(language, "what reminders do I have"),
    }
    return [f"- {line}" for tool, line in lines.items() if tool in turn.offered]


def _call(tool: str, arguments: dict[str, object]) -> Call:
    written = msgspec.json.encode(arguments).decode()
    return Call(id="", tool=tool, arguments=written, source=Source.MODEL)


@cache
def _known() -> _Known:
    folder = files("clawdbot") / "models" / "phrases"
    places: dict[str, str] = {}
    for line in (folder / "places.tsv").read_text(encoding="utf-8").splitlines():
        zone, *names = line.split("\t")
        places |= dict.fromkeys(names, zone)
    words = Words((folder / "words.tsv").read_text(encoding="utf-8"), places)
    return _Known(Intents(words, (folder / "weights.bin").read_bytes()), places)
