"""`clawdbot doctor`: whatever ails is named with the line that mends it, and that line does.

Covers clawdbot.ops.doctor.
"""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from clawdbot.config.key import MasterKey
from clawdbot.ops import doctor
from clawdbot.ops.doctor import Finding
from clawdbot.sandbox.bubblewrap import Bubblewrap
from clawdbot.sandbox.run import SEARCH, Sandbox
from clawdbot.sandbox.selftest import Maker
from tests.fakes.command import fed, running, scripted
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_cmd_audit import alter
from tests.integration.cli.test_cmd_status import TELEGRAM
from tests.integration.sandbox.test_selftest import Absent, Crowded, Leaky
from tests.integration.tools.test_plugins import DISK


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)
    for file in home.iterdir():
        file.chmod(0o600)


def found(run: Run, *args: str) -> tuple[int, dict[str, Finding]]:
    """Ask the doctor for everything, and for what the exit code says."""
    done = run("doctor", "--json", *args)
    assert "" == done.stderr
    told = [Finding(**each) for each in json.loads(done.stdout)]
    assert len(told) == len({each.area for each in told})
    return done.returncode, {each.area: each for each in told}


def ill(told: dict[str, Finding]) -> list[str]:
    return [area for area, finding in told.items() if not finding.ok]


def test_a_sound_home_is_told_so_with_a_service_or_without(
    run: Run, environ: dict[str, str]
) -> None:
    code, told = found(run)
    assert (0, []) == (code, ill(told))
    assert ("does not run", "clawdbot start") == (told["Service"].text, told["Service"].remedy)
    with running(environ):
        code, served = found(run, "--net")
        assert (0, []) == (code, ill(served))
    assert "runs" == served["Service"].text
    for mechanism in ("bubblewrap", "landlock"):
        area = f"Sandbox: {mechanism}"
        assert told[area].text.startswith("stops all ")
        assert told[area] == served[area]
    assert served["Provider model"].text.endswith("answers")
    lines = run("--lang", "zh", "doctor").stdout.splitlines()
    assert "沙箱：bubblewrap" in {line.split("\t")[0] for line in lines}
    assert {"良好"} == {line.split("\t")[1] for line in lines}


def test_what_others_can_read_is_named_and_the_remedy_closes_it(run: Run, home: Path) -> None:
    found(run)
    (home / "data").chmod(0o755)
    (home / "data" / "clawdbot.db").chmod(0o604)
    (home / "plugins").mkdir(mode=0o755)
    (home / "plugins" / "disk.py").touch(0o644)
    code, told = found(run)
    assert (1, ["Files"]) == (code, ill(told))
    assert f"Others can read: {home}/data, {home}/data/clawdbot.db" == (told["Files"].text)
    subprocess.run(told["Files"].remedy.split(), check=True)
    assert 0 == found(run)[0]


def test_channels_that_nobody_serves_or_reaches_are_ill(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with (home / "clawdbot.yaml").open("a") as file:
        file.write(TELEGRAM)
    code, told = found(run)
    assert (1, ["Service"]) == (code, ill(told))
    with running(environ):
        code, told = found(run)
        assert (1, ["telegram/main"]) == (code, ill(told))
        assert told["telegram/main"].text.startswith("down: ")


def test_an_optional_part_that_is_missing_is_not_called_well(
    run: Run, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['selenium'] = None\n")
    environ["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environ['PYTHONPATH']}"
    code, told = found(run)
    assert (0, []) == (code, ill(told))
    [(name, remedy)] = [(f.area, f.remedy) for f in told.values() if f.missing]
    assert ("selenium", "install.sh --with browser") == (name, remedy)
    [line] = [each for each in run("doctor").stdout.splitlines() if each.startswith("selenium")]
    assert "not installed" in line
    assert "well" not in line


def test_a_rotation_that_did_not_end_is_found(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    assert 0 == fed(environ, "x", "secret", "set", "a").returncode
    MasterKey(home, {}).renew()
    code, told = found(run)
    assert (1, ["Master key"]) == (code, ill(told))
    assert "clawdbot secret rotate" == told["Master key"].remedy
    assert 0 == run("secret", "rotate").returncode
    assert (0, []) == (found(run)[0], ill(found(run)[1]))


def test_a_changed_record_and_an_open_key_are_found(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ) as process:
        assert 0 == fed(environ, "x", "secret", "set", "a").returncode
        process.terminate()
        process.wait()
    assert "there" == found(run)[1]["Master key"].text
    alter(home, "UPDATE audit SET outcome = 'z' WHERE place = 1")
    code, told = found(run)
    assert (1, ["Record"]) == (code, ill(told))
    assert "row 1: this row was changed, or moved from its place" in told["Record"].text
    (home / "clawdbot-key").chmod(0o640)
    code, told = found(run)
    assert (1, {"Files", "Settings"}) <= (code, set(ill(told)))
    assert "Others can read the master key." in told["Settings"].text


def test_wrong_settings_and_a_held_folder_are_told_and_no_reason_to_stop(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ):
        (home / "clawdbot.yaml").write_text("gatway: {}\n")
        (home / "clawdbot.sock").unlink()
        code, told = found(run)
        assert (1, ["Settings"]) == (code, ill(told))
        assert "gatway" in told["Settings"].text
        scripted(home)
        code, told = found(run)
        assert (1, ["Service"]) == (code, ill(told))
        assert "Stop it with `clawdbot stop`." in told["Service"].text


def test_a_model_without_an_address_is_ill_and_none_at_all_is_told(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text("model_routing: {default: {provider: external}}\n")
    code, told = found(run)
    assert (1, True) == (code, "Model route default" in ill(told))
    with (home / "clawdbot.yaml").open("a") as file:
        file.write("providers: {external: {url: 'https://m.example', model: m}}\n")
    assert 0 == found(run)[0]
    with (home / "clawdbot.yaml").open("a") as file:
        file.write("budgets: {user_day: 1}\n")
    code, told = found(run)
    assert (1, ["Model route default"]) == (code, ill(told))
    assert "price" in told["Model route default"].text
    (home / "clawdbot.yaml").write_text("gateway: {port: 0}\n")
    told = found(run)[1]
    assert (True, "clawdbot setup") == (
        told["Model route default"].ok,
        told["Model route default"].remedy,
    )


def test_a_model_that_does_not_answer_is_ill(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text(
        "providers: {gone: {url: 'http://127.0.0.1:9/v1', model: m}}\n"
        "model_routing: {default: {provider: gone}}\n"
    )
    assert "Provider gone" not in found(run)[1]
    code, told = found(run, "--net")
    assert (1, True) == (code, "Provider gone" in ill(told))


async def test_what_a_mechanism_lets_through_is_named(tmp_path: Path) -> None:
    makers = [Leaky(tmp_path, SEARCH), Bubblewrap(tmp_path, SEARCH)]
    leaky, whole = doctor.sandbox(await Sandbox(tmp_path, makers).mechanisms(), "en")
    assert (True, True) == (leaky.ok, whole.ok)
    assert "switched off: it does not stop " in leaky.text
    assert "io_uring" in leaky.text
    (crowded,) = doctor.sandbox(
        await Sandbox(tmp_path, [Crowded(tmp_path, SEARCH)]).mechanisms(), "zh"
    )
    assert not crowded.ok
    if os.getuid() == 0:
        assert "请以普通用户身份运行" in crowded.text


async def test_without_any_mechanism_the_remedy_is_told(tmp_path: Path) -> None:
    makers: list[Maker] = [Bubblewrap(tmp_path, "/nowhere"), Absent(tmp_path)]
    missing, absent = doctor.sandbox(await Sandbox(tmp_path, makers).mechanisms(), "zh")
    assert (False, False) == (missing.ok, absent.ok)
    assert "sudo apt-get install bubblewrap" == missing.remedy
    assert "bubblewrap is not installed" not in missing.text


def test_plugins_that_do_not_run_any_more_are_ill(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    folder = home / "plugins"
    folder.mkdir(mode=0o700)
    for name in ("changed", "gone", "new", "sound"):
        (folder / f"{name}.py").write_bytes(DISK.replace(b"disk_usage", name.encode()))
        assert name == "new" or 0 == run("plugin", "trust", name).returncode
    (folder / "broken").mkdir(mode=0o700)
    (folder / "gone.py").unlink()
    with (folder / "changed.py").open("ab") as file:
        file.write(b"\n")
    code, told = found(run)
    assert (1, ["Plugin broken", "Plugin changed", "Plugin gone"]) == (code, ill(told))
    with running(environ):
        assert told["Plugin changed"] == found(run)[1]["Plugin changed"]
    for name in ("changed", "gone"):
        assert 0 == run(*told[f"Plugin {name}"].remedy.split()[1:]).returncode
    assert ["Plugin broken"] == ill(found(run)[1])


def test_the_doctor_changes_nothing_of_the_data(run: Run, home: Path) -> None:
    found(run)

    def rows() -> list[str]:
        with closing(sqlite3.connect(home / "data" / "clawdbot.db")) as db:
            return list(db.iterdump())

    before = rows()
    found(run)
    assert before == rows()
