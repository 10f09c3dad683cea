"""The command line as a process of its own, with a home folder and an environment of its own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import clawdbot
from tests.fakes.command import fed

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return {
        "CLAWDBOT_HOME": str(home),
        "HOME": str(home.parent),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(clawdbot.__file__).parents[1]),
    }


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    """Run `clawdbot ...` to its end with what is `typed`; other keywords: environment."""

    def call(*args: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return fed(environ | more, typed, *args, folder=tmp_path)

    return call
