"""A group chat inside `accept`: it is noted, and its own policy says whom we hear, and when."""

from msgspec.structs import replace

from clawdbot.conversation.arrival import Drawn
from clawdbot.conversation.session import moved
from clawdbot.domain.inbound import ChatKind, Inbound
from clawdbot.domain.people import Level, User, shown
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Answers, Group, Speaks
from clawdbot.domain.text import language_of
from clawdbot.store import conversations, groups, people


def heard(tx: Tx, inbound: Inbound, new: Group, drawn: Drawn) -> tuple[Inbound, Group | None]:
    """Note that something came from a group and give its policy, `new` at first; None elsewhere.

    What comes late from an id that the chat had before, comes from where it goes on.
    """
    if inbound.chat is not ChatKind.GROUP:
        return inbound, None
    if inbound.was:
        _move(tx, inbound, drawn)
    group = groups.Kept(
        id=drawn.row,
        receiver=inbound.receiver,
        chat=inbound.to.chat,
        channel=inbound.to.channel,
        account=inbound.to.account,
        name=shown(inbound.title),
        answers=new.answers,
        speaks=new.speaks,
        ceiling=new.ceiling,
        language=new.language,
        created_at=drawn.now,
        seen_at=drawn.now,
    )
    known = groups.heard(tx, group)
    if known.moved_to:
        # The platform's ids of messages do not go along.
        inbound = replace(inbound, to=replace(inbound.to, chat=known.moved_to), ref="")
        known = groups.heard(tx, replace(group, chat=known.moved_to))
    return inbound, known.policy


def meant(inbound: Inbound, group: Group | None) -> bool:
    """Tell whether a message is for us to answer."""
    if group is None:
        return inbound.addressed
    spoken_to = inbound.addressed or group.speaks is Speaks.ALWAYS
    return spoken_to and group.answers is not Answers.NOBODY


def speaking(
    tx: Tx, inbound: Inbound, known: User | None, group: Group | None, drawn: Drawn
) -> User | None:
    """Give whom we hear, in the group's language where it has one; None for a stranger."""
    if group is None:
        return known
    user = known if known or group.answers is not Answers.EVERYBODY else _guest(tx, inbound, drawn)
    return replace(user, language=group.language) if user and group.language else user


def _move(tx: Tx, inbound: Inbound, drawn: Drawn) -> None:
    """Have a group and its conversations go on under their chat's new id, once."""
    old, new = inbound.was, inbound.to.chat
    if not groups.move(tx, inbound.receiver, old, new, drawn.row):
        return
    for lane in conversations.of_groups(tx, inbound.receiver):
        if (scope := moved(lane.scope, old, new)) != lane.scope:
            conversations.move(tx, lane, scope, replace(lane.to, chat=new))


def _guest(tx: Tx, inbound: Inbound, drawn: Drawn) -> User:
    """Make a stranger a guest in groups, and nowhere else."""
    platform, sender = people.in_groups(inbound.to.channel), inbound.sender
    if (known := people.by_identity(tx, platform, sender.id)) is not None:
        return known
    name = shown(sender.name) or sender.id
    user = User(drawn.user, name, Level.GUEST, language_of(sender.language), "UTC")
    people.add(tx, user, drawn.now)
    people.identify(tx, user.id, platform, sender.id, name=name, now=drawn.now)
    return user
