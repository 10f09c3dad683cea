"""Homes to install into, and sources so small that a whole installation is quick."""

import re
import shutil
from pathlib import Path

import pytest

from tests.journey.install.host import ROOT, Host

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "clawdbot"
version = "9.9.9"
[project.scripts]
clawdbot = "clawdbot:main"
[tool.hatch.build.hooks.custom]
"""
PROGRAM = """\
import sys
BUILD_DATE = "2026-01-01"
def main():
    print("clawdbot 9.9.9 was called with", *sys.argv[1:], repr(sys.stdin.read()), flush=True)
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "a home").mkdir()
    return Host(tmp_path / "a home")


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out a checkout that needs one library."""
    root = tmp_path_factory.mktemp("the sources")
    (root / "src/clawdbot").mkdir(parents=True)
    (root / "src/clawdbot/__init__.py").write_text(PROGRAM)
    (root / "pyproject.toml").write_text(PROJECT)
    library = re.search(r"(?ms)^mdurl==.*?(?=^\S)", (ROOT / "requirements.lock").read_text())
    assert library
    (root / "requirements.lock").write_text(library.group())
    for name in ("hatch_build.py", "install.sh", "requirements-dev.lock"):
        shutil.copy(ROOT / name, root)
    return root
