"""What is asked of a person before something runs: everything that will run, bound by a hash.

A plan may hold several calls and is answered as one. Single use, expiring, answered out of band: by
a button whose token only a channel carries, or by a reply such as `YES 4821`. Pure.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64encode
from enum import StrEnum

import msgspec

from clawdbot.domain.text import say


class Scope(StrEnum):
    """How far a yes reaches, or a no that is for good."""

    ONCE = "once"
    CONVERSATION = "conversation"
    ALWAYS = "always"
    NEVER = "never"


class Verb(StrEnum):
    """What a person answers."""

    YES = "yes"
    CONVERSATION = "conversation"
    ALWAYS = "always"
    NO = "no"
    NEVER = "never"


class State(StrEnum):
    """open -> granted | denied | expired | cancelled."""

    OPEN = "open"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Planned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call that waits: `arguments` is canonical JSON, `digest` names the bytes that will run.

    `sinks` are its targets (argument -> value), `why` is the policy's rule. `again` is the step of
    a call of which nobody knows whether it happened.
    """

    tool: str
    effect: str
    arguments: str
    digest: str = ""
    sinks: dict[str, str] = {}
    why: str = ""
    again: str = ""

    @property
    def hash(self) -> str:
        """Bind exactly this call."""
        return digest_of(self.tool, self.arguments, self.digest, self.again)


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is answered as one; only an admin may where `admin` is set."""

    calls: tuple[Planned, ...]
    admin: bool = False

    @property
    def hash(self) -> str:
        """Bind the whole plan."""
        return digest_of(*(call.hash for call in self.calls))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply in words: which approval (by its code) and what."""

    code: str
    verb: Verb


_WORDS = {
    "yes": Verb.YES,
    "ok": Verb.YES,
    "no": Verb.NO,
    "never": Verb.NEVER,
    "同意": Verb.YES,
    "是": Verb.YES,
    "好": Verb.YES,
    "拒绝": Verb.NO,
    "否": Verb.NO,
    "不": Verb.NO,
    "永不": Verb.NEVER,
}
_REACH = {
    "conversation": Verb.CONVERSATION,
    "always": Verb.ALWAYS,
    "对话": Verb.CONVERSATION,
    "本对话": Verb.CONVERSATION,
    "总是": Verb.ALWAYS,
}
_REPLY = re.compile(r"(\w+?)\s*(\d{4})(?:\s+(\w+))?[.!。！]?", re.UNICODE)
_MAC_LETTERS = 22
# The first letter of a button's token.
_LETTERS = {verb: "x" if verb is Verb.NEVER else verb[0] for verb in Verb}
_VERBS = {letter: verb for verb, letter in _LETTERS.items()}
# What shows as nothing, or turns the text around it: controls, formats, fillers, odd spaces.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0"
    "\ufff0-\uffff\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)


def digest_of(*parts: str) -> str:
    """Hash a list of texts so that no two lists give the same."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def canonical(arguments: object) -> str:
    """Write arguments as JSON, always in the same way."""
    return msgspec.json.encode(arguments, order="deterministic").decode()


def written(value: object) -> str:
    """Write one argument as text: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else canonical(value)


def reply(words: str) -> Answer | None:
    """Read a reply: `YES 4821`, `yes 4821 always`, `never 4821`; None for other words."""
    found = _REPLY.fullmatch(words.strip())
    verb = _WORDS.get(found[1].casefold()) if found else None
    if found is None or verb is None:
        return None
    if found[3] is None:
        return Answer(code=found[2], verb=verb)
    reach = _REACH.get(found[3].casefold())
    return Answer(code=found[2], verb=reach) if reach and verb is Verb.YES else None


def bare(words: str) -> Verb | None:
    """Read an answer where only one thing waits, and needs no code: `yes`, `no`, `never`."""
    word = words.strip().casefold()
    return _WORDS.get(word) or _REACH.get(word)


def token(epoch: str, approval: str, plan: str, verb: Verb) -> str:
    """Make a button's token, at most 64 bytes; the epoch and the plan's hash are part of it."""
    return f"{_LETTERS[verb]}{approval}{_mac(epoch, approval, plan, verb)}"


def opened(token_: str) -> tuple[str, Verb, str] | None:
    """Read a button's token as approval, verb and its proof; None for anything else."""
    verb, approval, mac = _VERBS.get(token_[:1]), token_[1:27], token_[27:]
    return (approval, verb, mac) if verb and len(mac) == _MAC_LETTERS else None


def genuine(mac: str, epoch: str, approval: str, plan: str, verb: Verb) -> bool:
    """Check a token's proof, in constant time."""
    return hmac.compare_digest(mac.encode(), _mac(epoch, approval, plan, verb).encode())


def shown(plan: Plan, language: str) -> str:
    """Show everything that will run, uncut, as Markdown."""
    return "\n".join(_line(call, language) for call in plan.calls)


def _line(call: Planned, language: str) -> str:
    head = f"{call.tool} ({say(language, call.effect)})"
    if call.again:
        again = "(It is not known whether this happened already.) Again: {tool}"
        head = say(language, again, tool=call.tool)
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", call.arguments)), default=0))
    return f"{_seen(head)}\n{fence}\n{_seen(call.arguments)}\n{fence}"


def _seen(text: str) -> str:
    """Write what nobody would see as JSON writes it."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _mac(epoch: str, approval: str, plan: str, verb: Verb) -> str:
    body = msgspec.json.encode((approval, plan, verb))
    whole = hmac.new(epoch.encode(), body, hashlib.sha256).digest()
    return urlsafe_b64encode(whole).decode()[:_MAC_LETTERS]
