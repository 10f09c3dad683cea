"""A step that ends the process again and again: its turn is given up, and nobody else's."""

from pathlib import Path

from tests.integration.crash.stage import Rules, Stage, eventually, staged
from tests.integration.test_spine import OWNER, make_owner

POISON, INNOCENT = 1001, 1002
TRIES = 3
GIVEN_UP = "I tried to answer this several times and failed. The owner is told."


async def test_a_step_that_kills_is_given_up_and_its_neighbour_is_answered(tmp_path: Path) -> None:
    rules: Rules = [
        {"when": "poison", "delay_s": 60.0},
        {"when": "innocent", "delay_s": 0.5},
    ]
    session = {"allow": [str(POISON), str(INNOCENT)]}
    async with staged(tmp_path, rules, session) as stage:
        await make_owner(stage.home)
        await stage.begin()
        await stage.telegram.user_says(OWNER, OWNER, "hello")
        await stage.settle()
        await stage.telegram.user_says(POISON, POISON, "poison")
        await stage.telegram.user_says(INNOCENT, INNOCENT, "innocent")
        for life in range(1, TRIES + 1):
            await eventually(lambda: life == poisoned(stage), "the model is asked again")  # noqa: B023
            await stage.kill()
            await stage.begin()
        await stage.settle()
        assert [GIVEN_UP] == [shown.text for shown in stage.said(POISON)]
        assert ["echo: innocent"] == [shown.text for shown in stage.said(INNOCENT)]
        told = [shown.text for shown in stage.said(OWNER)]
        assert ["echo: hello", told_owner()] == told
        assert TRIES == poisoned(stage)


def poisoned(stage: Stage) -> int:
    """Count how often the model was asked what ends badly."""
    return sum(asked.words == "poison" for asked in stage.asked)


def told_owner() -> str:
    return f"A message could not be answered after {TRIES} tries. See clawdbot status."
