"""What comes on a conversation, as text that only grows: nothing shown is taken back.

No text from a model or a tool can steer the terminal.
"""

import asyncio
import re
import sys

import click

from clawdbot.cli.dialogue import Dialogue
from clawdbot.cli.output import Terminal
from clawdbot.domain.approval import bare
from clawdbot.domain.errors import BadInput
from clawdbot.domain.inbound import Outcome
from clawdbot.gateway import frames
from clawdbot.ops import process

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_STOPPING = "stopping"
_DIM = ("\x1b[2m", "\x1b[0m")


class Screen:
    """Shows the answer that is waited for.

    One that `grows` shows it as it comes, and what else happens in the conversation.
    """

    def __init__(self, terminal: Terminal, *, grows: bool) -> None:
        self._answered = asyncio.Event()
        self._state = ""
        self._terminal = terminal
        self._grows = grows
        self._turn = ""
        self._shown = ""
        self._restarted = False
        self._in_line = False
        self._away = False
        self._open: dict[str, frames.Approval] = {}
        self._read: set[str] = set()
        self._held: list[frames.FromServer] | None = None

    async def ask(self, dialogue: Dialogue, words: str) -> str:
        """Say something, show the answer and tell how it ended: done, stopped, dead, failed, waits.

        A mere `yes`, `no`, `always` or `never` answers the one question that waits.
        Ctrl-C stops it; again, or while the service is away, it ends the waiting. Raises BadInput
        for what cannot be said.
        """
        self._answered.clear()
        self._state = ""
        self._held = []  # until it is confirmed we cannot tell which turn is ours
        try:
            await self._say(dialogue, words)
            async with asyncio.TaskGroup() as tasks:

                def stop() -> None:
                    if self._away or self._state == _STOPPING:
                        self._settle("stopped")
                    else:
                        self._state = _STOPPING
                        tasks.create_task(dialogue.send("/stop"))

                with process.interrupting(stop):
                    await self._answered.wait()
        finally:
            self._held = None
        self._read = set(self._open)
        return self._state

    def show(self, frame: frames.FromServer) -> None:
        """Show a frame; those of turns are held while a question of ours is not confirmed."""
        self._away = False
        if self._held is None:
            self._show(frame)
        elif isinstance(frame, frames.Ack | frames.Error):
            held, self._held = self._held, None
            for each in (frame, *held):
                self._show(each)
        else:
            self._held.append(frame)

    def lost(self) -> None:
        """Tell, once, that the service is away."""
        if not self._away:
            self.note(self._terminal.say("(The service is away; waiting for it.)"))
        self._away = True

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        if self._grows:
            self._line(text, dim=True)
        else:
            click.echo(_safe(text), err=True)

    def _show(self, frame: frames.FromServer) -> None:
        match frame:
            case frames.Ack():
                self._confirmed(frame)
            case frames.Error():
                self.note(frame.text)
                self._settle("failed")
            case frames.Final() if frame.turn == self._turn:
                self._finish(frame.text)
                self._settle(frame.state)
            case frames.Approval():
                self._ask(frame)
            case frames.Delta() | frames.Reset() | frames.Tool():
                if self._grows and frame.turn == self._turn:
                    self._grow(frame)
            case frames.Said() | frames.Final() if self._grows and frame.turn != self._turn:
                own = isinstance(frame, frames.Said)
                self._line(f"> {frame.text}" if own else frame.text, dim=own)

    async def _say(self, dialogue: Dialogue, words: str) -> None:
        if (token := self._token(words)) is not None:
            await dialogue.answer(token)
        else:
            await dialogue.send(words)

    def _confirmed(self, ack: frames.Ack) -> None:
        if ack.outcome == Outcome.REFUSED:
            self.note(ack.notice)
            self._settle("failed")
        elif ack.outcome != Outcome.CONTROL and ack.turn:
            self._turn = ack.turn
        elif ack.notice or ack.outcome == Outcome.DUPLICATE:
            self._line(ack.notice)
            self._settle("done")

    def _token(self, words: str) -> str | None:
        """Find the answer that a mere `yes` means; none for other words.

        It must be certain: one question, which was there before somebody began to type.
        """
        if (verb := bare(words)) is None or not self._open:
            return None
        tokens = [c.token for a in self._open.values() for c in a.choices if c.verb == verb]
        if len(tokens) != 1 or not self._read >= set(self._open):
            raise BadInput("Answer with the code that the question shows, such as YES 4821.")
        return tokens[0]

    def _ask(self, frame: frames.Approval) -> None:
        """Put a question, whole; the wait for an answer ends here, and the prompt comes back."""
        ours = frame.turn == self._turn
        if frame.state != "open":
            self._open.pop(frame.id, None)
        elif self._grows or ours:
            self._open[frame.id] = frame
            self.note(frame.text)
            say = self._terminal.say
            if not frame.choices:
                self.note(say("An admin must answer this."))
            elif not self._grows:
                self.note(
                    say("Or run `clawdbot approval answer {code} yes` (or `no`).", code=frame.code)
                )
            if ours:
                self._settle("waits")

    def _grow(self, frame: frames.Delta | frames.Reset | frames.Tool) -> None:
        match frame:
            case frames.Reset():
                self._restarted = bool(self._shown)
                self._shown = ""
            case frames.Tool():
                self._restarted = False
                tool = ": ".join(filter(None, (frame.name, frame.text)))
                self._line(self._terminal.say("(uses {tool})", tool=tool), dim=True)
            case frames.Delta():
                if self._restarted:
                    self._restarted = False
                    self.note(self._terminal.say("(The answer starts over.)"))
                self._shown += frame.text
                self._write(frame.text)

    def _settle(self, state: str) -> None:
        self._turn = self._shown = ""
        self._restarted = False
        self._state = state
        self._answered.set()

    def _finish(self, text: str) -> None:
        shown = self._shown.strip()
        if self._restarted:
            self._line("")
        if text.startswith(shown):
            self._write(text[len(shown) :])
        elif text.endswith(shown):
            self._line(text.removesuffix(shown).strip(), dim=True)
        else:
            self._line(text)
        self._line("")

    def _line(self, text: str, *, dim: bool = False) -> None:
        """Write a line of its own; an empty one only ends the line that is there."""
        if self._in_line:
            self._write("\n")
        if text:
            coloured = dim and self._terminal.colour(sys.stdout)
            self._write(f"{text}\n", *(_DIM if coloured else ()))

    def _write(self, text: str, before: str = "", after: str = "") -> None:
        if text:
            sys.stdout.write(f"{before}{_safe(text)}{after}")
            sys.stdout.flush()
            self._in_line = not text.endswith("\n")


def _safe(text: str) -> str:
    visible = text.replace("\r\n", "\n")
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), visible)
