"""The bench still runs, in its smallest form; nothing is timed here."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import hands, search, viewers
from bench.spine import Plan, measured
from bench.table import Row, markdown

ROOT = Path(__file__).parents[2]
TINY = Plan(
    starts=1,
    blocks=1,
    turns=1,
    crowd_blocks=1,
    crowd_turns=1,
    settle_s=0.0,
    idle_s=0.1,
    stored=4,
    depth=2,
    paced=2,
    paced_every_s=0.0,
    size=False,
)


async def test_a_tiny_bench_of_hands_measures_all() -> None:
    found = await hands.measure(1)
    times = {"self-test ms", "cold box ms", "worker start and end ms", "warm call ms"}
    times |= {"browser start ms", "browser task ms", "browser MB", "a further context MB"}
    assert times | {"worker MB", "audit row us"} == set(found)
    assert all(value > 0 for value in found.values())


async def test_a_tiny_bench_of_turns_calls_the_plugin(tmp_path: Path) -> None:
    found = await hands.turns(tmp_path, chats=1, each=1)  # raises where it was not called
    assert {"turn CPU ms", "a call in a turn CPU ms"} == set(found)


async def test_a_tiny_bench_of_searching_measures_all(tmp_path: Path) -> None:
    found = await search.measure(tmp_path, 200)
    assert {"p50", "worst", "needle (1)", "nothinglikeit (0)"} <= found.keys()


async def test_a_tiny_bench_of_viewers_measures_all() -> None:
    found = await viewers.measure(2, 0.2)
    assert 4 == len(found)
    assert all(value >= 0 for value in found.values())
    assert 1 <= found["frames a viewer, calm"]


async def test_a_tiny_bench_fills_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = await measured(TINY)
    assert 16 == len(rows)
    assert all(row.ours >= 0 for row in rows)
    told = capsys.readouterr().out
    for what in ("fdatasync", "synchronous=FULL", "floor", "clawdbot", "4 conversations"):
        assert what in told


def test_a_missed_goal_is_marked() -> None:
    row = Row(name="start", unit="s", ours=2.0, floor=1.0, goal=3.0, multiple=1.5)
    rate = Row(name="rate", unit="", ours=2.0, goal=3.0, least=True)
    *_, first, second = markdown([row, rate]).splitlines()
    assert ["start", "1.00 s", "2.00 s", "<= 3 s", "**2.00** (missed)", "<= 1.5 x"] == cells(first)
    assert ["rate", "**2.00** (missed)", ">= 3"] == cells(second)


def test_the_floor_stays_under_a_hundred_lines() -> None:
    assert 100 > len((ROOT / "bench" / "floor.py").read_text("utf-8").splitlines())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_bench_fills_its_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.spine", "--quick"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=280,
    )
    assert 0 == done.returncode, done.stderr[-2000:]
    for row in ("process start to first answer", "turns/s, 16 conversations", "CPU at rest"):
        assert row in done.stdout


def cells(line: str) -> list[str]:
    """Give what a line of the table says."""
    return [cell.strip() for cell in line.strip("|").split("|") if cell.strip()]
