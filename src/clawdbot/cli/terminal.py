"""A conversation at the terminal: lines in, answers out, until Ctrl-D.

What was typed is kept in the home folder for its owner alone, as is which answer was shown last.
"""

import asyncio
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout

from clawdbot.cli.dialogue import Dialogue
from clawdbot.cli.output import Terminal
from clawdbot.cli.screen import Screen
from clawdbot.config import home
from clawdbot.config.clock import SystemClock
from clawdbot.domain.errors import BadInput
from clawdbot.net.local import Local

_LEAVE = frozenset({"/exit", "/quit"})


async def converse(terminal: Terminal, local: Local, name: str) -> None:
    """Hold a conversation until its user leaves."""
    folder = terminal.home / "terminal"
    folder.mkdir(mode=0o700, exist_ok=True)
    marker = folder / f"{name}.heard"
    heard = int(marker.read_text()) if marker.exists() else None
    dialogue = Dialogue(local, SystemClock(), name, heard)
    screen = Screen(terminal, grows=True)
    keys = terminal.say(
        "Enter sends, Alt-Enter begins a new line, Ctrl-C stops an answer, Ctrl-D leaves."
    )
    screen.note(keys)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(dialogue.run(screen.show, screen.lost))
            session = _session(folder / "history")
            while (words := await _typed(session)) is not None:
                if words == "/help":
                    screen.note(keys)
                await _answered(terminal, screen, dialogue, words)
            running.cancel()
    finally:
        if dialogue.heard is not None:
            home.write(marker, f"{dialogue.heard}\n")


def _session(history: Path) -> PromptSession[str]:
    history.touch(0o600)
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return PromptSession(
        "> ",
        multiline=True,
        prompt_continuation="  ",
        key_bindings=keys,
        history=FileHistory(str(history)),
    )


async def _typed(session: PromptSession[str]) -> str | None:
    """Read what is typed, None at its end; what else is said meanwhile appears above."""
    while True:
        try:
            with patch_stdout(raw=True):
                words = (await session.prompt_async()).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return None
        if words in _LEAVE:
            return None
        if words:
            return words


async def _answered(terminal: Terminal, screen: Screen, dialogue: Dialogue, words: str) -> None:
    try:
        await screen.ask(dialogue, words)
    except BadInput as error:
        screen.note(terminal.say(str(error)))
