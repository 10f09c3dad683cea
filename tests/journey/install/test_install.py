"""`install.sh`, run as a user runs it, from a checkout and through a pipe."""

import io
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import requires
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.journey.install.host import ROOT, SCRIPT, Host
from tests.patience import PATIENCE_S

MOST_BYTES = 70_000_000
BUILDS = pytest.mark.timeout(300)  # it fetches libraries


@pytest.fixture(scope="module")
def published(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve install.sh and an archive of the sources."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(SCRIPT, folder)
    with tarfile.open(folder / "clawdbot.tar.gz", "w:gz") as archive:
        archive.add(sources, "clawdbot-9.9.9")
    with tarfile.open(folder / "other.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("other/README"), io.BytesIO())

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def installed(published: str, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """Install by the command that a web page names."""
    host = Host(tmp_path_factory.mktemp("another home"))
    command = f"curl -fsSL {published}/install.sh | bash -s -- --start"
    status, said = host.run("bash", "-c", command, CLAWDBOT_SOURCE=f"{published}/clawdbot.tar.gz")
    assert 0 == status, said
    (host.home / "said").write_text(said)
    return host


def whole(folder: Path) -> dict[str, int]:
    """Tell everything in a folder, and when it was written."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@BUILDS
def test_one_command_installs_and_starts(installed: Host) -> None:
    said = (installed.home / "said").read_text()
    assert "clawdbot 9.9.9 was called with start ''" == said.splitlines()[-1]
    assert (0, "clawdbot 9.9.9 was called with --version ''\n") == installed.run(
        installed.launcher, "--version"
    )
    assert 'export PATH="' in said
    libraries = {path.name for path in installed.prefix.glob("current/lib/*/site-packages/*")}
    assert {"clawdbot", "mdurl"} <= libraries
    assert not {"pip", "setuptools", "hatchling"} & libraries
    left = {path.name for path in installed.prefix.iterdir()}
    assert {"current", "install.log", "versions"} == left - {"cache"}


@BUILDS
def test_a_second_run_changes_nothing_and_starts(installed: Host, sources: Path) -> None:
    before = whole(installed.prefix)
    path = f"{installed.launcher.parent}:{installed.path}"
    status, said = installed.run(sources / "install.sh", "--start", pipe="typed", PATH=path)
    assert 0 == status
    assert "clawdbot 9.9.9 is already in " in said
    assert "clawdbot 9.9.9 was called with start ''" == said.splitlines()[-1]
    assert "export PATH" not in said
    assert before == whole(installed.prefix)


@BUILDS
def test_what_was_cut_short_is_made_anew(installed: Host, sources: Path) -> None:
    (name,) = installed.versions()
    (installed.prefix / "versions" / name / "complete").unlink()
    (installed.prefix / "versions/9.9.8-cut").mkdir()
    (installed.prefix / "installing/tools").mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    (installed.prefix / "install.lock").symlink_to(str(ended.pid))
    status, said = installed.run(sources / "install.sh", PIP_USER="1", PIP_TARGET="elsewhere")
    assert 0 == status, said
    assert [name] == installed.versions()
    assert 0 == installed.run(installed.launcher, "--version")[0]
    assert not (installed.prefix / "installing").exists()
    assert not (installed.prefix / "install.lock").is_symlink()


@BUILDS
def test_a_library_that_differs_is_refused(host: Host, sources: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sources, tmp_path / "copy")
    lock = (copy / "requirements-dev.lock").read_text()
    (copy / "requirements-dev.lock").write_text(
        re.sub("sha256:[0-9a-f]{8}", "sha256:0bad0bad", lock)
    )
    status, said = host.run(copy / "install.sh", "--start")
    assert 1 == status
    assert "differs from what clawdbot was checked with" in said
    assert "was called with" not in said
    assert ["install.log"] == [p.name for p in host.prefix.iterdir() if p.name != "cache"]
    assert not host.launcher.exists()


@BUILDS
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(
    host: Host, sources: Path, sent: signal.Signals, status: int
) -> None:
    run = subprocess.Popen(
        [sources / "install.sh"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=host.environment(),
        start_new_session=True,
    )
    assert run.stdout is not None
    with run.stdout:
        while b"Preparing" not in os.read(run.stdout.fileno(), 1000):
            assert run.poll() is None
        os.killpg(run.pid, sent)
        said = run.stdout.read().decode()
    assert status == run.wait(PATIENCE_S)
    assert "Nothing half-made stays behind." in said
    assert ["install.log"] == [path.name for path in host.prefix.iterdir()]


def test_one_installation_at_a_time(host: Host, sources: Path) -> None:
    host.prefix.mkdir(parents=True)
    (host.prefix / "install.lock").symlink_to(str(os.getpid()))
    status, said = host.run(sources / "install.sh")
    assert 1 == status
    assert f"Another installation (process {os.getpid()}) is at work." in said
    assert (host.prefix / "install.lock").is_symlink()


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en_GB.UTF-8", "Nothing was changed."), ("zh_CN.UTF-8", "没有做任何改动。")],
)
def test_a_dry_run_tells_the_plan_and_changes_nothing(
    host: Host, language: str, sentence: str
) -> None:
    status, said = host.run(SCRIPT, "--dry-run", "--start", LANG=language)
    assert 0 == status
    assert sentence == said.splitlines()[-1]
    assert "requirements.lock" in said
    assert str(host.launcher) in said
    assert [] == list(host.home.iterdir())


@BUILDS
def test_a_dry_run_tells_that_nothing_is_to_be_done(installed: Host, sources: Path) -> None:
    before = whole(installed.prefix)
    status, said = installed.run(sources / "install.sh", "--dry-run")
    assert 0 == status
    assert "is already in" in said
    assert "make an environment" not in said
    assert before == whole(installed.prefix)


@pytest.mark.parametrize("arguments", [["--strat"], ["--source"], ["start"], ["--with"]])
def test_a_wrong_argument_is_named(host: Host, arguments: list[str]) -> None:
    status, said = host.run(SCRIPT, *arguments)
    assert 2 == status
    assert f'"{arguments[-1]}"' in said
    assert "--help" in said
    assert [] == list(host.home.iterdir())


def test_help_tells_every_option(host: Host) -> None:
    english, chinese = (host.run(SCRIPT, "--help", LANG=tag) for tag in ("C", "zh_CN.UTF-8"))
    options = set(re.findall(r"(?m)^ +(?:-\w \| )?(--[\w-]+)\)", SCRIPT.read_text()))
    known = {"--dry-run", "--help", "--source", "--start", "--uninstall", "--with", "--yes"}
    assert known == options
    for status, said in (english, chinese):
        assert 0 == status
        assert options == set(re.findall(r"(?m)^  (--[\w-]+)", said))


def test_a_pipe_needs_to_know_the_sources(host: Host, sources: Path) -> None:
    """The folder one stands in by chance is not meant, even where it is a checkout."""
    shutil.copytree(sources, host.home, dirs_exist_ok=True)
    before = whole(host.home)
    status, said = host.run("bash", "-s", "--", "--start", pipe=SCRIPT.read_text())
    assert 1 == status
    assert "--source https://" in said
    assert before == whole(host.home)


@pytest.mark.parametrize("address", ["http://example.org/a.tar.gz", "git://example.org/a"])
def test_sources_come_by_an_encrypted_way(host: Host, address: str) -> None:
    status, said = host.run(SCRIPT, "--source", address)
    assert 1 == status
    assert "Use https:// or ssh://." in said
    assert [] == list(host.home.iterdir())


def test_an_address_without_clawdbot_is_refused(host: Host, published: str) -> None:
    status, said = host.run(SCRIPT, "--source", f"{published}/other.tar.gz")
    assert 1 == status
    assert "does not hold clawdbot" in said
    assert ["install.log"] == [path.name for path in host.prefix.iterdir()]


def test_a_folder_of_other_things_is_left_alone(host: Host, sources: Path) -> None:
    kept = host.home / "versions/mine"
    kept.mkdir(parents=True)
    status, said = host.run(sources / "install.sh", CLAWDBOT_PREFIX=str(host.home))
    assert 1 == status
    assert "CLAWDBOT_PREFIX" in said
    assert 0 == host.run(SCRIPT, "--uninstall", CLAWDBOT_PREFIX=str(host.home))[0]
    assert [kept.parent] == list(host.home.iterdir())


@BUILDS
def test_a_command_of_another_origin_stays(installed: Host, sources: Path) -> None:
    own = installed.launcher.rename(installed.launcher.with_name("kept"))
    installed.launcher.write_text("theirs")
    _, said = installed.run(sources / "install.sh")
    assert "is not ours and stays as it is" in said
    assert "theirs" == installed.launcher.read_text()
    own.replace(installed.launcher)


@BUILDS
def test_the_browser_s_parts_come_when_asked_for(installed: Host, sources: Path) -> None:
    _, planned = installed.run(sources / "install.sh", "--dry-run", "--with", "browser")
    assert "Selenium" not in planned  # the plan of what is there already is empty
    status, said = installed.run(sources / "install.sh", "--with", "browser")
    assert 0 == status, said
    python = next(installed.prefix.glob("current/bin/python"))
    assert 0 == installed.run(python, "-IBc", "import selenium.webdriver.remote.webdriver")[0]
    before = whole(installed.prefix / "versions")
    assert 0 == installed.run(sources / "install.sh", "--with", "browser")[0]
    assert before == whole(installed.prefix / "versions")


@BUILDS
def test_the_parts_of_tool_servers_come_when_asked_for(installed: Host, sources: Path) -> None:
    status, said = installed.run(sources / "install.sh", "--with", "mcp")
    assert 0 == status, said
    python = next(installed.prefix.glob("current/bin/python"))
    assert 0 == installed.run(python, "-IBc", "import mcp")[0]


@pytest.mark.parametrize("root", ["selenium", "mcp"])
def test_what_with_adds_is_all_that_it_needs(root: str) -> None:
    listed = re.search(rf"{root}_libraries='([^']*)'", SCRIPT.read_text())
    assert listed is not None
    there = re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text())
    needed = needs(root)
    assert {*listed[1].split()} <= needed
    assert needed <= {*listed[1].split(), *there}


def needs(root: str) -> set[str]:
    """Name a library and all that it needs, on a system and a Python like this one."""
    found, left = set(), [Requirement(root)]
    while left:
        wish = left.pop()
        if (key := (canonicalize_name(wish.name), *sorted(wish.extras))) in found:
            continue
        found.add(key)
        for each in map(Requirement, requires(wish.name) or ()):
            extras = wish.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras):
                left.append(each)
    return {name for name, *_ in found}


def test_uninstalling_stops_the_service_and_keeps_the_data(host: Host) -> None:
    program = host.prefix / "versions/9.9.9-a/bin/clawdbot"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@" >>"$HOME/calls"\n')
    program.chmod(0o755)
    (host.prefix / "current").symlink_to("versions/9.9.9-a")
    host.launcher.parent.mkdir(parents=True)
    host.launcher.symlink_to(host.prefix / "current/bin/clawdbot")
    data = host.home / ".clawdbot/clawdbot.db"
    data.parent.mkdir()
    data.write_text("data")
    status, said = host.run(SCRIPT, "--uninstall")
    assert 0 == status
    assert f"Your data stays in {data.parent}." in said
    assert "data" == data.read_text()
    assert "stop\n" == (host.home / "calls").read_text()
    assert not host.prefix.exists()
    assert not host.launcher.is_symlink()
    assert "There is no clawdbot in" in host.run(SCRIPT, "--uninstall")[1]


@pytest.mark.slow
@BUILDS
def test_the_real_thing_installs_runs_and_goes(host: Host) -> None:
    status, said = host.run(SCRIPT)
    assert 0 == status, said
    status, said = host.run(host.launcher, "--version")
    assert 0 == status
    assert re.fullmatch(r"clawdbot \S+ \(built \d{4}-\d\d-\d\d\)\n", said)
    assert (0, f"{host.home}/.clawdbot\n") == host.run(host.launcher, "config", "path")
    libraries = host.prefix.glob("current/lib/*/site-packages/**/*")
    assert MOST_BYTES >= sum(path.stat().st_size for path in libraries if path.is_file())
    home = host.home / ".clawdbot"
    home.mkdir(mode=0o700)
    (home / "clawdbot.yaml").write_text("gateway: {port: 0}\n")
    service = subprocess.Popen(
        [SCRIPT, "--start"],
        stdout=subprocess.PIPE,
        env=host.environment(),
        start_new_session=True,
        text=True,
    )
    assert service.stdout is not None
    with service.stdout as lines:
        links = (re.search(r"(http://127\.0\.0\.1:\d+)/setup#\S+", line) for line in lines)
        link = next(filter(None, links))
        with urlopen(f"{link.group(1)}/healthz", timeout=PATIENCE_S) as answer:
            assert 200 == answer.status
        os.killpg(service.pid, signal.SIGINT)
        assert 0 == service.wait(PATIENCE_S)
    assert 0 == host.run(SCRIPT, "--uninstall")[0]
    assert not host.prefix.exists()
    assert (home / "clawdbot.yaml").exists()
