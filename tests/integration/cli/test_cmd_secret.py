"""`clawdbot secret`: sealed, bound, never shown; with a service, without, and between keys."""

import json
from pathlib import Path

import pytest

from clawdbot.config.key import FILE
from tests.fakes.command import fed, running, scripted, shown
from tests.integration.cli.conftest import Run

CANARY = "canary-密-7f3a"


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


def names(run: Run) -> list[str]:
    return [row["name"] for row in json.loads(run("secret", "list", "--json").stdout)]


def assert_hidden(home: Path) -> None:
    (home / "script.yaml").chmod(0o600)  # the test's own
    for path in filter(Path.is_file, home.rglob("*")):
        assert CANARY.encode() not in path.read_bytes(), path
        assert 0 == path.stat().st_mode & 0o077, path


def test_a_secret_is_set_listed_rotated_and_removed(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    done = fed(environ, f"{CANARY}\n", "secret", "set", "mail", "--origin", "Mail.example.com")
    assert (0, "Sealed. Write it as secret://mail.\n", "") == (
        done.returncode, done.stdout, done.stderr,
    )  # fmt: skip
    (row,) = json.loads(run("secret", "list", "--json").stdout)
    assert ("mail", ["https://mail.example.com"], None) == (
        row["name"], row["origins"], row["rotated_at"],
    )  # fmt: skip
    assert ["mail", "https://mail.example.com"] == run("secret", "list").stdout.split("\t")[:2]
    assert 0 == fed(environ, "another\n", "secret", "rotate", "mail").returncode
    (row,) = json.loads(run("secret", "list", "--json").stdout)
    assert row["rotated_at"] >= row["created_at"]
    assert ["https://mail.example.com"] == row["origins"]
    assert (0, "Removed.\n") == (run("secret", "remove", "mail").returncode, "Removed.\n")
    assert [] == names(run)
    assert_hidden(home)


def test_what_was_done_to_secrets_is_on_record_without_their_text(
    run: Run, environ: dict[str, str]
) -> None:
    fed(environ, CANARY, "secret", "set", "mail")
    fed(environ, CANARY, "secret", "rotate", "mail")
    run("secret", "rotate")
    run("secret", "remove", "mail")
    done = run("audit", "export", "--content")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [
        ("secret.set", "mail"),
        ("secret.rotate", "mail"),
        ("secret.rotate", ""),
        ("secret.remove", "mail"),
    ] == [(row["what"], row["outcome"]) for row in rows]
    assert CANARY not in done.stdout + run("audit", "show").stdout + run("logs").stdout


def test_a_running_service_keeps_what_is_set_and_takes_a_new_master_key(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ):
        done = fed(environ, f"{CANARY}\n", "secret", "set", "mail", "--origin", "mail.example.com")
        assert (0, "") == (done.returncode, done.stderr)
        before = (home / FILE).read_text()
        assert 0 == run("secret", "rotate").returncode
        after = (home / FILE).read_text()
        assert (65, True) == (len(after), before != after)
        assert 0 == fed(environ, "x", "secret", "rotate", "mail").returncode
        assert ["mail"] == names(run)
        assert 0 == run("audit", "verify").returncode
        assert CANARY not in run("logs").stdout
    assert ["mail"] == names(run)
    assert_hidden(home)


def test_settings_name_a_secret_and_a_missing_or_foreign_one_is_told(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    entry = '{url: "http://127.0.0.1:9/v1", auth: "secret://model"}'
    (home / "clawdbot.yaml").write_text(f"providers:\n  local: {entry}\n")
    place = "clawdbot.yaml:2: providers.local.auth"
    assert 0 == run("config", "check").returncode
    for args in (("start", "--no-browser"), ("test-model", "--provider", "local")):
        done = run(*args)
        assert (78, "") == (done.returncode, done.stdout)
        assert f"{place}: there is no secret model; set it with `clawdbot secret set model`" in (
            done.stderr
        )
    assert f"{place}：没有名为 model 的密钥" in run("--lang", "zh", "start").stderr
    fed(environ, CANARY, "secret", "set", "model", "--origin", "https://elsewhere.test")
    done = run("test-model", "--provider", "local")
    assert 78 == done.returncode
    assert f"{place}: the secret model is not bound to this address" in done.stderr
    fed(environ, CANARY, "secret", "set", "model", "--origin", "http://127.0.0.1:9")
    done = run("test-model", "--provider", "local")
    assert 69 == done.returncode, "now it is tried, and nobody listens"
    assert CANARY not in done.stderr + run("config", "show").stdout
    (home / FILE).unlink()
    done = run("test-model", "--provider", "local")
    assert (66, "") == (done.returncode, done.stdout)
    assert "The master key is missing. Bring back the file clawdbot-key." in done.stderr
    assert_hidden(home)


def test_what_cannot_be_is_told_and_nothing_is_kept(run: Run, environ: dict[str, str]) -> None:
    for text, args in (
        ("", ("set", "mail")),
        ("x", ("set", "../mail")),
        ("x", ("set", "mail", "--origin", "ftp://mail")),
        ("x", ("rotate", "mail")),
        ("", ("remove", "mail")),
    ):
        done = fed(environ, text, "secret", *args)
        assert (65, "") == (done.returncode, done.stdout), args
    assert [] == names(run)


def test_a_key_that_others_can_read_is_refused(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    fed(environ, CANARY, "secret", "set", "mail")
    (home / FILE).chmod(0o644)
    done = fed(environ, CANARY, "secret", "set", "mail")
    assert (78, "") == (done.returncode, done.stdout)
    assert "Others can read the master key. Run `chmod 600` on this file." in done.stderr


def test_at_a_terminal_it_is_typed_unseen(run: Run, environ: dict[str, str]) -> None:
    with shown(environ, "secret", "set", "mail") as screen:
        screen.wait_for("The secret: ")
        screen.type(f"{CANARY}\n")
        seen = screen.wait_for("Sealed. Write it as secret://mail.")
        screen.wait_for("It is bound to no address, so it is sent nowhere.")
        assert 0 == screen.end()
    assert CANARY not in seen
    assert ["mail"] == names(run)
