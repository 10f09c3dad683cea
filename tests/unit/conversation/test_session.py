"""Whose messages share a conversation, and when a new session begins."""

import pytest
from msgspec.structs import replace

from clawdbot.conversation.session import expired, moved, resets, scope_of
from clawdbot.domain.inbound import Address, ChatKind, Inbound, Sender
from clawdbot.domain.settings import Scope, Session


def _inbound(chat: ChatKind, thread: str = "") -> Inbound:
    to = Address(channel="telegram", account="main", chat="5", thread=thread)
    return Inbound(receiver="telegram:1", event="1", to=to, chat=chat, sender=Sender(id="9"))


@pytest.mark.parametrize("scope", list(Scope))
def test_direct_chats_are_always_one_persons_own(scope: Scope) -> None:
    policy = Session(scope=scope)
    ann, bob = (scope_of(_inbound(ChatKind.DIRECT), user, policy) for user in ("ann", "bob"))
    assert ann != bob


@pytest.mark.parametrize(
    ("scope", "users", "threads"),
    [(Scope.SENDER, True, True), (Scope.CHAT, False, False), (Scope.THREAD, False, True)],
)
def test_groups_are_cut_by_the_policy(scope: Scope, *, users: bool, threads: bool) -> None:
    policy, group = Session(scope=scope), ChatKind.GROUP
    here = scope_of(_inbound(group, "1"), "ann", policy)
    assert users == (here != scope_of(_inbound(group, "1"), "bob", policy))
    assert threads == (here != scope_of(_inbound(group, "2"), "ann", policy))


@pytest.mark.parametrize("scope", list(Scope))
def test_a_group_keeps_its_conversations_under_another_id(scope: Scope) -> None:
    policy, before = Session(scope=scope), _inbound(ChatKind.GROUP, "1")
    after = replace(before, to=replace(before.to, chat="-100"))
    kept = moved(scope_of(before, "ann", policy), "5", "-100")
    assert scope_of(after, "ann", policy) == kept
    for other in ("group:55:1", "group:4:5", "direct:5::ann", "group:55"):
        assert other == moved(other, "5", "-100")


def test_silence_and_age_end_a_session() -> None:
    policy = Session()
    idle, age = policy.idle_s, policy.max_age_s
    assert not expired(policy, 0.0, 100.0, 100.0 + idle)
    assert expired(policy, 0.0, 100.0, 101.0 + idle)
    assert expired(policy, 0.0, age, age + 1)


def test_a_clock_set_back_ends_nothing() -> None:
    assert not expired(Session(), 1000.0, 1000.0, 0.0)


@pytest.mark.parametrize("words", ["/new", "/NEW", " 新对话 "])
def test_reset_words(words: str) -> None:
    assert resets(Session(), words)
    assert not resets(Session(), words + "x")
