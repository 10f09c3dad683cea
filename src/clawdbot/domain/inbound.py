"""A delivery from a platform, after its channel has translated it and before anybody decided on it.

Identity in here comes from the verified transport, never from the text. Knows no platform.
"""

from enum import StrEnum

import msgspec

from clawdbot.domain.messages import Part

# Our own sockets: the sender is a user who logged in, and what is committed is delivered.
OWN_CHANNELS = frozenset({"web", "terminal"})


class ChatKind(StrEnum):
    """Whether a chat has one person or many."""

    DIRECT = "direct"
    GROUP = "group"


class InboundKind(StrEnum):
    """What kind of delivery it is."""

    MESSAGE = "message"
    EDIT = "edit"
    CLICK = "click"
    UNREADABLE = "unreadable"
    NOISE = "noise"


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an answer goes: channel and account are ours, chat and thread the platform's."""

    channel: str
    account: str
    chat: str
    thread: str = ""
    group: bool = False

    @property
    def key(self) -> str:
        """Name the destination in one string, for order and pace."""
        return f"{self.channel}/{self.account}/{self.chat}/{self.thread}"


class Sender(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who sent it, as the platform vouches: user id, shown name, chosen language."""

    id: str
    name: str = ""
    language: str = ""


class Inbound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One verified delivery.

    `receiver` is the platform's own identity of the receiving account (`telegram:7654321`), `event`
    the delivery's id under it (the dedupe key), `ref` the platform's message id (an edit keeps it),
    `addressed` tells whether it is meant for us (always, in a direct chat), `album` joins what the
    sender sent as one, `token` is a clicked button's, `click` what an answer to it must name.
    `instead` names the turn in whose place this stands, `route` the model of a conversation that
    begins with this, `title` what a group is called, `was` the id that its chat had before. `raw`
    holds the undecodable bytes (capped) of an unreadable delivery.
    """

    receiver: str
    event: str
    to: Address
    chat: ChatKind
    sender: Sender
    kind: InboundKind = InboundKind.MESSAGE
    parts: tuple[Part, ...] = ()
    ref: str = ""
    reply_to: str = ""
    addressed: bool = True
    album: str = ""
    token: str = ""
    click: str = ""
    instead: str = ""
    route: str = ""
    title: str = ""
    was: str = ""
    raw: bytes = b""


class Outcome(StrEnum):
    """How `accept` decided on a delivery; each is one committed row."""

    TURN = "turn"
    JOINED = "joined"
    CONTROL = "control"
    HELD = "held"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a delivery, after the commit; `notice` is for the sender's screen only."""

    outcome: Outcome
    turn: str = ""
    conversation: str = ""
    reason: str = ""
    notice: str = ""
