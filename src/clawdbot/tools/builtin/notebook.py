"""The requester's own notes and reminders: rows in the journal's own transaction, exactly once.

A note keeps the source and taint of its words; a reminder is one timer that becomes one message.
"""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.inbound import Address
from clawdbot.domain.policy import (
    Effect,
    Manifest,
)
from clawdbot.domain.ports import Tx
from clawdbot.domain.text import say
from clawdbot.store import notes, timers
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.notes import Note
from clawdbot.store.timers import Timer
from clawdbot.tools.registry import Grant, Tool

REMINDER = "reminder"
REMIND = Manifest(name="reminder_add", effect=Effect.WRITE, own=True)
_SHOWN_MOST = 20
_YEAR_S = 366 * 86400.0


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """What a reminder's timer holds; `taint` is that of the words it repeats."""

    to: Address
    text: str
    language: str
    taint: bool


def add_note(
    tx: Tx, grant: Grant, text: Annotated[str, Meta(min_length=1, max_length=4000)]
) -> str:
    """Keep a note."""
    note = Note(grant.id, text, grant.source, int(grant.tainted), grant.now)
    notes.add(tx, grant.user.id, note)
    return say(grant.language, "Noted: {text}", text=text)


def list_notes(tx: Tx, grant: Grant) -> str:
    """Tell the notes, newest first."""
    found = notes.listed(tx, grant.user.id, _SHOWN_MOST)
    if not found:
        return say(grant.language, "You have no notes.")
    return "\n".join(f"{index}. {note.body}" for index, note in enumerate(found, 1))


def remove_note(tx: Tx, grant: Grant, number: Annotated[int, Meta(ge=1)]) -> str:
    """Forget a note by its number in the list."""
    found = notes.listed(tx, grant.user.id, _SHOWN_MOST)
    if number > len(found):
        return say(grant.language, "There is no note {number}.", number=number)
    notes.remove(tx, grant.user.id, found[number - 1].id)
    return say(grant.language, "Forgotten: {text}", text=found[number - 1].body)


def add_reminder(
    tx: Tx,
    grant: Grant,
    text: Annotated[str, Meta(min_length=1, max_length=1000)],
    in_seconds: Annotated[float, Meta(ge=0)] = 0.0,
    at: Annotated[str, Meta(description="local time, YYYY-MM-DD HH:MM")] = "",
) -> str:
    """Set a reminder, after some seconds or at a local time."""
    zone = ZoneInfo(grant.timezone) if grant.timezone else UTC
    due = grant.now + in_seconds if in_seconds else _parse(at, zone)
    if not grant.now < due < grant.now + _YEAR_S:
        raise ToolFailed(say(grant.language, "A reminder must lie within the next year."))
    body = Reminder(to=grant.to, text=text, language=grant.language, taint=grant.tainted)
    timer = Timer(grant.id, REMINDER, text[:80], grant.user.id, msgspec.json.encode(body), due)
    timers.add(tx, timer, grant.now)
    when = datetime.fromtimestamp(due, zone).strftime("%Y-%m-%d %H:%M:%S")
    return say(grant.language, "I will remind you at {when}: {text}", when=when, text=text)


def list_reminders(tx: Tx, grant: Grant) -> str:
    """Tell the waiting reminders, earliest first."""
    found = timers.of_user(tx, grant.user.id, REMINDER)
    if not found:
        return say(grant.language, "You have no reminders.")
    zone = ZoneInfo(grant.timezone) if grant.timezone else UTC
    return "\n".join(
        f"{datetime.fromtimestamp(timer.due_at, zone):%Y-%m-%d %H:%M} {timer.subject}"
        for timer in found
    )


def due(timer: Timer) -> tuple[Address, str]:
    """Tell where a due reminder goes, and what it says."""
    reminder = msgspec.json.decode(timer.body, type=Reminder)
    return reminder.to, say(reminder.language, "Reminder: {text}", text=reminder.text)


def denied(timer: Timer, rule: str, now: float) -> Entry:
    """Put on record that a due reminder may not be told any more."""
    return Entry(
        at=now,
        kind=Kind.DECISION,
        what=REMIND.name,
        user_id=timer.user_id,
        step=f"timer/{timer.id}",
        decision="deny",
        rule=rule,
    )


def _parse(at: str, zone: tzinfo) -> float:
    try:
        return datetime.strptime(at, "%Y-%m-%d %H:%M").replace(tzinfo=zone).timestamp()
    except ValueError as error:
        message = "Give in_seconds, or at as YYYY-MM-DD HH:MM."
        raise ToolFailed(message) from error


def _own(name: str, effect: Effect, description: str, write: Callable[..., str]) -> Tool:
    manifest = Manifest(name=name, effect=effect, own=True)
    return Tool(manifest=manifest, description=description, write=write)


TOOLS = (
    _own("note_add", Effect.WRITE, "Keep a note for the user", add_note),
    _own("note_list", Effect.READ, "The user's notes, numbered", list_notes),
    _own("note_remove", Effect.WRITE, "Forget a note by its number", remove_note),
    Tool(manifest=REMIND, description="Remind the user later", write=add_reminder),
    _own("reminder_list", Effect.READ, "The user's reminders", list_reminders),
)
