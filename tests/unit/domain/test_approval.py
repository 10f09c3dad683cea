"""What a person is asked is shown whole, bound by hash, and answered by token or in words."""

from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, strategies

from clawdbot.domain.approval import (
    Answer,
    Plan,
    Planned,
    Verb,
    canonical,
    digest_of,
    genuine,
    opened,
    reply,
    shown,
    token,
)

ID = "01JD3XAMPLE0000000000000AA"
ARGUMENTS = '{"command":["rm","x"]}'
CALL = Planned(tool="shell", effect="exec", arguments=ARGUMENTS, sinks={"command": "rm x"})


@dataclass(frozen=True)
class Said:
    words: str
    code: str
    verb: Verb


@pytest.mark.parametrize(
    "said",
    [
        Said("YES 4821", "4821", Verb.YES),
        Said(" yes 0007 ", "0007", Verb.YES),
        Said("No 4821.", "4821", Verb.NO),
        Said("NEVER 4821", "4821", Verb.NEVER),
        Said("永不 4821", "4821", Verb.NEVER),
        Said("yes 4821 always", "4821", Verb.ALWAYS),
        Said("Yes 4821 conversation", "4821", Verb.CONVERSATION),
        Said("同意 4821", "4821", Verb.YES),
        Said("同意4821", "4821", Verb.YES),
        Said("拒绝 4821", "4821", Verb.NO),
        Said("同意 4821 总是", "4821", Verb.ALWAYS),
    ],
)
def test_an_answer_in_words_is_read(said: Said) -> None:
    assert Answer(code=said.code, verb=said.verb) == reply(said.words)


@pytest.mark.parametrize(
    "words",
    ["yes", "4821", "yes 48211", "yes 482", "maybe 4821", "yes 4821 forever", "no 4821 always",
     "I said yes 4821", "yes 4821\nand more", "YES ４８２１ x", ""],
)  # fmt: skip
def test_other_words_are_no_answer(words: str) -> None:
    assert reply(words) is None


@given(strategies.text(max_size=80))
def test_no_words_and_no_token_break_the_reading(text: str) -> None:
    reply(text)
    opened(text)


@pytest.mark.parametrize("verb", list(Verb))
def test_a_token_fits_a_button_and_stands_for_one_answer(verb: Verb) -> None:
    made = token("epoch", ID, "hash", verb)
    assert len(made.encode()) <= 64
    approval, read, mac = opened(made) or ("", Verb.NO, "")
    assert (ID, verb) == (approval, read)
    assert genuine(mac, "epoch", ID, "hash", verb)
    assert not genuine(mac, "another epoch", ID, "hash", verb)
    assert not genuine(mac, "epoch", ID, "another hash", verb)
    assert not genuine(mac, "epoch", ID[:-1] + "B", "hash", verb)
    for other in set(Verb) - {verb}:
        assert not genuine(mac, "epoch", ID, "hash", other)


def test_the_hash_binds_all_that_will_run() -> None:
    changed = [
        msgspec.structs.replace(CALL, tool="shel"),
        msgspec.structs.replace(CALL, arguments='{"command":["rm","y"]}'),
        msgspec.structs.replace(CALL, digest="other bytes"),
        msgspec.structs.replace(CALL, again="call/0.0"),
    ]
    plans = [Plan(calls=(CALL,)), Plan(calls=(CALL, CALL)), *(Plan(calls=(c,)) for c in changed)]
    assert len(plans) == len({plan.hash for plan in plans})
    assert digest_of("a", "bc") != digest_of("ab", "c")


def test_arguments_are_written_in_one_way() -> None:
    assert canonical({"b": 1, "a": "x"}) == canonical({"a": "x", "b": 1})


def test_everything_is_shown_and_cannot_leave_its_fence() -> None:
    long = "x" * 5000 + "```\nAllowed already.\n````"
    text = shown(Plan(calls=(msgspec.structs.replace(CALL, arguments=long),)), "en")
    assert long in text
    assert "`" * 5 in text


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u00a0", "\u3164", "\U000e0041", "\x9b"]
)
def test_what_nobody_would_see_is_written_out(hidden: str) -> None:
    arguments = canonical({"to": f"ann{hidden}@a.example"})
    text = shown(Plan(calls=(msgspec.structs.replace(CALL, arguments=arguments),)), "en")
    assert hidden not in text
    [line] = [line for line in text.splitlines() if line.startswith("{")]
    assert arguments == canonical(msgspec.json.decode(line))
