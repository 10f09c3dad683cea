"""Session policies as pure decisions: who shares a conversation, when a new session begins."""

from clawdbot.domain.inbound import Address, ChatKind, Inbound
from clawdbot.domain.settings import Scope, Session


def scope_of(inbound: Inbound, user: str, policy: Session) -> str:
    """Name the conversation of a message; direct chats are always one person's own."""
    if inbound.chat is ChatKind.DIRECT:
        return direct_scope(inbound.to, user)
    place = f"{inbound.to.chat}:{inbound.to.thread}"
    match policy.scope:
        case Scope.SENDER:
            return f"group:{place}:{user}"
        case Scope.THREAD:
            return f"group:{place}"
        case Scope.CHAT:
            return f"group:{inbound.to.chat}"


def direct_scope(to: Address, user: str) -> str:
    """Name a person's own conversation at an address."""
    return f"direct:{to.chat}:{to.thread}:{user}"


def moved(scope: str, old: str, new: str) -> str:
    """Name the conversation of a group whose chat has another id now; others keep their name."""
    if scope.split(":")[:2] != ["group", old]:
        return scope
    return f"group:{new}" + scope.removeprefix(f"group:{old}")


def expired(policy: Session, session_from: float, session_last: float, now: float) -> bool:
    """Tell whether the session ended by silence or age; a clock set back ends nothing."""
    return now - session_last > policy.idle_s or now - session_from > policy.max_age_s


def resets(policy: Session, text: str) -> bool:
    """Tell whether a message is one of the policy's reset words."""
    return text.strip().casefold() in {word.casefold() for word in policy.reset}
