"""What we read from `.env` is what a shell reads, and what we take out leaves the rest alone."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clawdbot.config.dotenv import parse, without
from clawdbot.config.problems import Problems

TEXT = """\
export D=plain # comment
A='it'
B=
C="a \\\"b\\\" \\$HOME \\`x\\` \\\\ # no"  # yes
"""


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_or_told(text: str) -> None:
    parse(text, ".env", Problems())
    assert text == without(text, ("NOWHERE",))


def test_a_shell_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    command = '. "$0"; printf "%s\\n" "$A" "$B" "$C" "$D"'
    done = subprocess.run(["bash", "-c", command, path], capture_output=True, check=True, text=True)
    values = {"A": "it", "B": "", "C": 'a "b" $HOME `x` \\ # no', "D": "plain"}
    assert [*values.values(), ""] == done.stdout.split("\n")
    assert values == parse(TEXT, ".env", Problems())


def test_names_are_taken_out_and_other_lines_stay(tmp_path: Path) -> None:
    left = without(f"# A=1\n{TEXT}AB=2\n export  B = 'x'\n", ("A", "B", "MISSING"))
    assert f"# A=1\n{TEXT}AB=2\n".replace("A='it'\nB=\n", "") == left
