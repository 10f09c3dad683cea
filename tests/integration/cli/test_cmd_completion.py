"""`clawdbot completion`: a script, and the answers that it asks for."""

import subprocess

import pytest

from tests.integration.cli.conftest import Run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, run: Run) -> None:
    done = run("completion", shell)
    assert 0 == done.returncode
    assert "_CLAWDBOT_COMPLETE" in done.stdout


def test_bash_accepts_its_script(run: Run) -> None:
    script = run("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_commands_and_options_complete(run: Run) -> None:
    def complete(words: str, number: int) -> list[str]:
        done = run(_CLAWDBOT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(number))
        return done.stdout.split()

    assert ["plain,config"] == complete("clawdbot co", 1)[:1]
    assert {"plain,config", "plain,completion"} == set(complete("clawdbot co", 1))
    assert ["plain,check"] == complete("clawdbot config ch", 2)
    assert ["plain,--follow"] == complete("clawdbot logs --f", 2)
    assert ["plain,--home"] == complete("clawdbot --h", 1)[:1]
