"""What is built carries its date: of SOURCE_DATE_EPOCH, else of the commit, else the source's."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import clawdbot
from tests.architecture.tree import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what a build needs into a folder that no version control knows."""
    for name in ("pyproject.toml", "hatch_build.py", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    package = tmp_path / "src" / "clawdbot"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "src" / "clawdbot" / "__init__.py", package)
    if (ROOT / "README.md").exists():
        shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def test_the_source_names_a_date() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", clawdbot.BUILD_DATE)


def test_a_build_takes_the_given_date(checkout: Path) -> None:
    assert "2023-11-14" == _built(checkout, SOURCE_DATE_EPOCH="1700000000")


def test_a_build_takes_the_date_of_the_commit(checkout: Path) -> None:
    date = "2024-02-29T12:00:00Z"
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    _run(checkout, "git", "init", "--quiet")
    commit = ("commit", "--quiet", "--allow-empty", "-m", "Begin")
    _run(checkout, "git", *author, *commit, GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date)
    assert "2024-02-29" == _built(checkout)


def test_a_build_without_either_keeps_the_date_of_the_source(checkout: Path) -> None:
    assert clawdbot.BUILD_DATE == _built(checkout)


def _built(checkout: Path, **environment: str) -> str:
    _run(checkout, sys.executable, "-m", "hatchling", "build", "-t", "wheel", **environment)
    [wheel] = (checkout / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read("clawdbot/__init__.py").decode()
    return re.findall(r'^BUILD_DATE = "(.*)"', source, re.MULTILINE)[0]


def _run(folder: Path, *command: str, **environment: str) -> None:
    inherited = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, cwd=folder, env=inherited | environment, check=True, timeout=30)
