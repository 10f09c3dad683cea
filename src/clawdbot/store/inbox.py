"""Deliveries: what came, what was decided on it, and the keys that tell a repetition."""

import msgspec
from msgspec.structs import asdict

from clawdbot.domain.inbound import Inbound, Outcome
from clawdbot.domain.ports import Tx

_INBOUND = msgspec.json.Decoder(Inbound)


class Delivery(msgspec.Struct, frozen=True):
    """One recorded delivery."""

    id: str
    conversation_id: str
    turn_id: str
    user_id: str
    platform: str
    external: str
    outcome: str
    ref: str
    body: bytes

    @property
    def inbound(self) -> Inbound:
        """Read what came."""
        return _INBOUND.decode(self.body)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What `accept` decided; `keep` tells whether the content may be stored."""

    outcome: Outcome
    reason: str = ""
    conversation: str = ""
    turn: str = ""
    user: str = ""
    keep: bool = False


def seen(tx: Tx, key: str) -> tuple[str, str] | None:
    """Find an earlier decision (outcome, turn) on the same delivery."""
    return tx.one(lambda outcome, turn: (str(outcome), str(turn)), "inbox.seen", key=key)


def put(tx: Tx, inbound: Inbound, key: str, decision: Decision, *, row: str, now: float) -> None:
    """Record a delivery, its key and its outcome."""
    joined = decision.outcome is Outcome.JOINED
    place = tx.one(int, "inbox.count_of_turn", turn_id=decision.turn) if joined else 0
    tx.run(
        "inbox.put",
        id=row,
        key=key,
        platform=inbound.to.channel,
        external=inbound.sender.id,
        ref=inbound.ref,
        album=inbound.album,
        place=place,
        body=encode(inbound) if decision.keep else b"",
        at=now,
        **asdict(decision),
    )


def of_turn(tx: Tx, turn: str) -> list[Inbound]:
    """List the deliveries that a turn answers, in order."""
    return [decode(body) for body in bodies(tx, turn)]


def bodies(tx: Tx, turn: str) -> list[bytes]:
    """List the deliveries that a turn answers, in order, as they are kept."""
    return tx.all(bytes, "inbox.of_turn", turn_id=turn)


def encode(inbound: Inbound) -> bytes:
    """Write a delivery as it is kept."""
    return msgspec.json.encode(inbound)


def decode(body: bytes) -> Inbound:
    """Read a delivery as it is kept."""
    return _INBOUND.decode(body)


def get(tx: Tx, row: str) -> Delivery | None:
    """Read one delivery."""
    return tx.one(Delivery, "inbox.get", id=row)


def by_ref(tx: Tx, conversation: str, ref: str) -> Delivery | None:
    """Find the delivery that first brought a platform's message, while its turn is not over."""
    return tx.one(Delivery, "inbox.by_ref", conversation_id=conversation, ref=ref)


def rewrite(tx: Tx, row: str, inbound: Inbound) -> None:
    """Replace what a delivery says, after an edit."""
    tx.run("inbox.rewrite", id=row, body=encode(inbound))


def release(tx: Tx, row: str, conversation: str, turn: str, user: str) -> None:
    """Turn a held delivery into a turn's."""
    tx.run("inbox.released", id=row, conversation_id=conversation, turn_id=turn, user_id=user)


def recent(tx: Tx, platform: str, external: str, since: float, until: float) -> int:
    """Count a sender's deliveries between two times."""
    counted = {"platform": platform, "external": external, "since": since, "until": until}
    return tx.one(int, "inbox.recent", **counted) or 0
