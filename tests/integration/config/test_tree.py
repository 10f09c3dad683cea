"""YAML becomes texts with lines, or a problem; never anything else."""

from hypothesis import given
from hypothesis import strategies as st

from clawdbot.config.problems import Problems
from clawdbot.config.sources import substituted
from clawdbot.config.tree import Node, parse

FLOW = st.lists(st.sampled_from([*"[]{}:,?-&*!|>'\"%@`#~ \n\t", "a", "1", "- ", ": ", "<<"]))


def test_every_value_is_a_text_that_knows_its_line() -> None:
    tree = parse("a: 0x10\nb:\n  c: [yes, 1.10]\n  d: ~\n  e: '~'\n", "f", Problems())
    below = {
        "c": Node([Node("yes", "f:3"), Node("1.10", "f:3")], "f:3"),
        "e": Node("~", "f:5"),
    }
    assert {"a": Node("0x10", "f:1"), "b": Node(below, "f:2")} == tree


@given(FLOW.map("".join) | st.text())
def test_any_text_is_read_or_told(text: str) -> None:
    problems = Problems()
    tree = parse(text, "f", problems)
    assert isinstance(tree, dict)
    assert all(where.startswith("f") for where, _, _ in problems.found)


def test_what_is_put_in_is_not_read_again() -> None:
    names = {"A": "${B} env:B", "B": "secret"}
    node = substituted(Node("x ${A} ${A}", "f:1"), names, Problems())
    assert "x ${B} env:B ${B} env:B" == node.value
