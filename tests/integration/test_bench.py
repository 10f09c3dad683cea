"""The bench still runs, in its smallest form; nothing is timed here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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


def test_the_floor_stays_under_a_hundred_lines() -> None:
    assert 100 > len((ROOT / "bench" / "floor.py").read_text("utf-8").splitlines())
