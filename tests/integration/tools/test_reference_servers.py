"""Two official reference servers, in an environment of their own, inside the box."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.policy import Effect
from clawdbot.domain.settings import McpServer
from tests.integration.tools.test_servers import staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LOCK = Path(__file__).with_name("requirements-servers.lock")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("servers") / "env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(LOCK)], check=True
    )
    return folder


def git(folder: Path, *args: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@a.example")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *args], check=True, capture_output=True, text=True
    )
    return done.stdout


async def test_the_time_server_tells_the_time(installed: Path, tmp_path: Path) -> None:
    command = ("bin/python", "-m", "mcp_server_time", "--local-timezone", "UTC")
    made = McpServer(command=command, folder=str(installed))
    async with staged(tmp_path, time=made) as stage:
        await stage.servers.trust("time")
        told = json.loads(await stage.hand()("time_get_current_time", timezone="Asia/Shanghai"))
        assert "Asia/Shanghai" == told["timezone"]
        assert 600 > abs(
            (datetime.fromisoformat(told["datetime"]) - datetime.now(UTC)).total_seconds()
        )
        with pytest.raises(ToolFailed):
            await stage.hand()("time_get_current_time", timezone="Nowhere/Land")
        with pytest.raises(ToolFailed, match="do not fit"):
            await stage.hand()("time_get_current_time")


@pytest.mark.parametrize("write", [False, True])
async def test_the_git_server_does_what_its_box_allows(
    installed: Path, tmp_path: Path, write: bool
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    git(repository, "commit", "-q", "--allow-empty", "-m", "begin")
    git(repository, "config", "user.name", "Ann")
    git(repository, "config", "user.email", "ann@a.example")
    (repository / "note").write_text("milk\n")
    place = str(repository)
    made = McpServer(
        command=("bin/python", "-m", "mcp_server_git", "--repository", place),
        folder=str(installed),
        paths=(f"{place}:write" if write else place,),
    )
    async with staged(tmp_path, git=made) as stage:
        await stage.servers.trust("git")
        tool = stage.registry.find("git_git_status")
        assert tool is not None
        assert (Effect.WRITE if write else Effect.READ, True) == (
            tool.manifest.effect,
            tool.manifest.private,
        )
        hand = stage.hand()
        assert "note" in await hand("git_git_status", repo_path=place)
        async with asyncio.timeout(120):
            if write:
                await hand("git_git_add", repo_path=place, files=["note"])
                await hand("git_git_commit", repo_path=place, message="Add milk")
            else:
                with pytest.raises(ToolFailed):
                    await hand("git_git_add", repo_path=place, files=["note"])
        assert ("Add milk" if write else "begin") in git(repository, "log", "-1", "--format=%s")
        with pytest.raises(ToolFailed):
            await hand("git_git_status", repo_path=str(tmp_path))
