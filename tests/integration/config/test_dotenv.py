"""What we write into `.env` is what we read from it, and what a shell reads."""

import subprocess
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from clawdbot.config.dotenv import parse, updated
from clawdbot.config.problems import Problems

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]))


@given(PRINTABLE, PRINTABLE)
@example("'", '"\\$`')
@example(" # ", "\\")
def test_a_written_value_is_read_again(one: str, two: str) -> None:
    problems = Problems()
    text = updated(updated("", {"ONE": "old", "TWO": two}), {"ONE": one})
    assert {"ONE": one, "TWO": two} == parse(text, ".env", problems)
    assert [] == problems.found


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_or_told(text: str) -> None:
    parse(text, ".env", Problems())


def test_a_shell_reads_the_same(tmp_path: Path) -> None:
    values = {"A": 'it\'s $HOME `x` \\ "q" # no', "B": "", "C": "$(exit 1) 中"}
    path = tmp_path / ".env"
    path.write_text(updated("export D=plain # comment\n", values))
    command = '. "$0"; printf "%s\\n" "$A" "$B" "$C" "$D"'
    done = subprocess.run(["bash", "-c", command, path], capture_output=True, check=True, text=True)
    assert [*values.values(), "plain", ""] == done.stdout.split("\n")
    assert values | {"D": "plain"} == parse(path.read_text(), ".env", Problems())
