"""Group chats that we were in, each with a policy of its own."""

import msgspec
from msgspec.structs import asdict, replace

from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Group
from clawdbot.store.turns import Turn


class Kept(msgspec.Struct, frozen=True):
    """A group: the receiver and the chat tell it from others; `name` is the platform's.

    `moved_to` is the chat that goes on in the place of one whose id is of the past.
    """

    id: str
    receiver: str
    chat: str
    channel: str
    account: str
    name: str
    answers: str
    speaks: str
    ceiling: str
    language: str
    created_at: float
    seen_at: float
    moved_to: str = ""

    @property
    def policy(self) -> Group:
        """Read the policy."""
        return msgspec.convert(self, Group, from_attributes=True)


def heard(tx: Tx, group: Kept) -> Kept:
    """Note that something came from a group, new or known, and read it as it stands."""
    return tx.one(Kept, "groups.heard", **asdict(group)) or group


def move(tx: Tx, receiver: str, old: str, new: str, row: str) -> bool:
    """Have a group go on under its chat's new id, as it is; False where it does, or none was known.

    Under the old id a row stays that names the new one.
    """
    id_ = tx.one(str, "groups.at", receiver=receiver, chat=old)
    left = tx.one(Kept, "groups.leave", id=id_, left=row, moved_to=new) if id_ else None
    if id_ is None or left is None:
        return False
    tx.run("groups.make_way", receiver=receiver, chat=new)
    heard(tx, replace(left, id=id_, chat=new))
    return True


def of_turn(tx: Tx, conversation: str, to: Address) -> Group | None:
    """Find the policy of the group that a conversation's turn answers in; None in a direct chat."""
    if not to.group:
        return None
    found = tx.one(Kept, "groups.of_turn", conversation_id=conversation, chat=to.chat)
    return found.policy if found is not None else Group()


def ceiling(tx: Tx, conversation: str, to: Address) -> str:
    """Name the role that bounds a turn in a group; empty in a direct chat."""
    group = of_turn(tx, conversation, to)
    return group.ceiling if group is not None else ""


def ceiling_at(tx: Tx, to: Address, new: Group) -> str:
    """Name the role that bounds what is said at an address without a turn; empty if direct.

    A group that is not known is as a `new` one.
    """
    if not to.group:
        return ""
    given = {"channel": to.channel, "account": to.account, "chat": to.chat}
    found = tx.one(Kept, "groups.of_address", **given)
    return (found.policy if found is not None else new).ceiling


def listed(tx: Tx) -> list[Kept]:
    """List the groups, the latest heard first."""
    return tx.all(Kept, "groups.list")


def forget(tx: Tx, id_: str) -> None:
    """Forget a group and its policy."""
    tx.run("groups.forget", id=id_)


def unfinished(tx: Tx, group: Kept) -> list[Turn]:
    """List the unfinished turns that answer in a group."""
    receiver, chat = group.receiver, group.chat
    chats = {chat, *tx.all(str, "groups.before", receiver=receiver, chat=chat)}
    found = tx.all(Turn, "groups.unfinished", receiver=receiver)
    return [turn for turn in found if turn.to.group and turn.to.chat in chats]


def get(tx: Tx, id_: str) -> Kept | None:
    """Read a group."""
    return tx.one(Kept, "groups.get", id=id_)


def put(tx: Tx, id_: str, policy: Group) -> None:
    """Keep a group's policy."""
    given = {"answers": policy.answers, "speaks": policy.speaks, "ceiling": policy.ceiling}
    tx.run("groups.put", id=id_, language=policy.language, **given)
