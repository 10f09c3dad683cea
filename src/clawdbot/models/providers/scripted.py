"""A model that plays a script: for tests, demonstrations and trying a set-up without any model.

The script is a YAML list of rules; the first whose `when` stands in the turn's words is played:
`{when: weather, say: Sunny., calls: [{tool: t, arguments: {}}], delay_s: 0.05, pause_s: 0.01}`.
After its calls were answered, `then` is said, with `{result}` for what the tools gave. The model
is gone after `fails_after` words. Each play adds `[number of results, words]` to the file `log`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from clawdbot.domain.errors import ModelMalformed, ModelOverloaded
from clawdbot.domain.messages import Call, Message, Result, Role, Source
from clawdbot.models.request import Ask, CallDelta, Delta, TextDelta, Used


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of a script; without `say` the words are echoed."""

    when: str = ""
    say: str = "echo: {words}"
    then: str = "{result}"
    calls: tuple["Play", ...] = ()
    delay_s: float = 0.0
    pause_s: float = 0.0
    fails_after: int | None = None
    log: str = ""


class Play(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool call to make."""

    tool: str
    arguments: dict[str, object] = {}


class Scripted:
    """Plays a script; without one it echoes."""

    def __init__(self, script: str) -> None:
        try:
            self._rules = (
                msgspec.yaml.decode(Path(script).read_bytes(), type=list[Rule]) if script else []
            )
        except (OSError, msgspec.DecodeError) as error:
            message = f"{script}: {error}"
            raise ModelMalformed(message) from error

    async def complete(self, ask: Ask) -> AsyncIterator[Delta]:
        """Play the first rule that fits."""
        asked = _asked(ask.messages)
        rule = next((r for r in self._rules if r.when in asked), Rule())
        results = _results(ask.messages)
        if rule.log:
            _log(Path(rule.log), len(results), asked)
        if rule.delay_s:
            await asyncio.sleep(rule.delay_s)
        if rule.calls and not results and ask.tools:
            for play in rule.calls:
                arguments = msgspec.json.encode(play.arguments).decode()
                call = Call(id="", tool=play.tool, arguments=arguments, source=Source.MODEL)
                yield CallDelta(call)
        else:
            text = rule.then if rule.calls else rule.say
            filled = text.replace("{words}", asked).replace("{result}", "\n".join(results))
            for index, piece in enumerate(re.split("(?<= )", filled)):
                if index == rule.fails_after:
                    raise ModelOverloaded
                yield TextDelta(piece)
                if rule.pause_s:
                    await asyncio.sleep(rule.pause_s)
        yield Used(tokens_in=len(asked) // 4, tokens_out=len(asked) // 4, model="scripted")


def _asked(messages: tuple[Message, ...]) -> str:
    found: list[str] = []
    for message in reversed(messages):
        if message.role is Role.USER:
            found.insert(0, message.text)
        elif found:
            break
    return "\n".join(found)


def _log(path: Path, results: int, asked: str) -> None:
    with path.open("ab") as file:
        file.write(msgspec.json.encode([results, asked]) + b"\n")


def _results(messages: tuple[Message, ...]) -> list[str]:
    found: list[str] = []
    for message in reversed(messages):
        if message.role is Role.USER:
            break
        found = [part.text for part in message.parts if isinstance(part, Result)] + found
    return found
