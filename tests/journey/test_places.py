"""What the pages of whoever runs the place do, proved by the command line, the API, the next turn.

One service and one browser for all: each test leaves behind what the others do not look at.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import pytest

from clawdbot.panel.api import OPERATIONS
from tests.fakes.serving import ROOT
from tests.fakes.telegram.server import TOKEN
from tests.journey.browser import PASSWORD, Person, Service, browsing, serving, set_up
from tests.journey.test_panel import GUEST, log_in
from tests.journey.world import fill
from tests.patience import PATIENCE_S

PLUGIN = """\
from clawdbot.plugins import system_command

@system_command.register(effect="write", paths=["{place}:write"])
def greet(name: str):
    "Greet somebody."
    return "Hello, " + name
"""
ASK = """
const [method, path, body, done] = arguments;
const headers = { "X-CSRF-Token": document.body.dataset.csrf, "Content-Type": "application/json" };
fetch(path, { method, headers, body: method === "GET" ? undefined : body, redirect: "manual" })
  .then(async (response) => done([response.status, await response.text()]));
"""


@dataclass(slots=True, kw_only=True)
class Place:
    """An owner at a browser, their service, and a terminal on its machine."""

    person: Person
    service: Service

    def open(self, page: str) -> None:
        self.person.driver.get(self.service.address + page)

    def put(self, css: str, text: str) -> None:
        """Type in place of what is there."""
        self.person.wait(lambda: [e for e in self.person.all(css) if e.is_displayed()], css)
        self.person.all(css)[0].clear()
        self.person.all(css)[0].send_keys(text)

    def ask(self, method: str, path: str, body: str = "{}") -> tuple[int, str]:
        """Ask the service for something as a script of the page would."""
        status, text = self.person.driver.execute_async_script(ASK, method, path, body)
        return int(status), str(text)

    def anew(self, do: Callable[[], None]) -> None:
        """Do what has the service start anew, and wait until it is there again."""
        before = self._starts()
        do()
        self.person.wait(lambda: self._starts() > before, "the service starts anew")

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command at the terminal; give its exit code and what it printed."""
        command = (sys.executable, "-m", "clawdbot", "--home", str(self.service.home), *words)
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def _starts(self) -> int:
        log = self.service.home / "logs/clawdbot.log"
        return log.read_text("utf-8").count('"started"')


@contextmanager
def standing_in(module: str, *words: str) -> Iterator[str]:
    """Run a stand-in as its own process; give its address."""
    command = (sys.executable, "-m", module, *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Open the owner's browser in a home with a plugin, people and conversations."""
    folder = tmp_path_factory.mktemp("w")
    with ExitStack() as stack:
        service, link = stack.enter_context(serving(folder / "home", []))
        person = stack.enter_context(browsing(folder / "profile"))
        set_up(person, link)
        fill(service.home, time.time(), conversations=20, people=6, password=PASSWORD)
        plugins = service.home / "plugins"
        (folder / "apart").mkdir()
        (plugins / "greeter.py").write_text(PLUGIN.format(place=folder / "apart"))
        yield Place(person=person, service=service)


def test_a_channel_is_added_tested_and_paused(at: Place) -> None:
    person, form = at.person, "#add-telegram"
    with standing_in("tests.fakes.telegram", "--pace", "off") as telegram:
        at.open("/channels")
        person.click(f"{form} .main")  # without a token there is no account
        assert person.run(f"return document.querySelector('{form} form').matches(':invalid')")
        at.put(f"{form} [name='settings.token']", TOKEN)
        at.put(f"{form} [name='settings.base_url']", telegram)
        person.click(f"{form} [data-call$='/test']")
        person.wait(lambda: person.texts(f"{form} .callout.good")[:1], "the platform answers")
        assert [] == json.loads(at.run("status", "--json")[1])["channels"]
        at.anew(lambda: person.click(f"{form} .main"))
        person.wait(lambda: "telegram/main" in person.texts("#accounts")[0], "the page shows it")
        [channel] = json.loads(at.run("status", "--json")[1])["channels"]
        assert ("main", False) == (channel["account"], channel["paused"])
        at.open("/channels")
        person.click("#telegram-main form[data-call$='/pause'] button")
        at.anew(lambda: person.click("#ask .danger"))
        [channel] = json.loads(at.run("status", "--json")[1])["channels"]
        assert (True, False) == (channel["paused"], channel["up"])


def test_a_provider_is_added_answers_the_next_turn_and_its_money_ends(at: Place) -> None:
    person = at.person
    with standing_in("tests.fakes.models", "--first-ms", "0", "--count", "3") as models:
        at.open("/models")
        person.click("#provider-new summary")
        form = "#provider-new"
        for key, text in (("name", "mine"), ("settings.url", f"{models}/v1")):
            at.put(f"{form} [name='{key}']", text)
        person.click(f"{form} [data-call$='/test']")
        person.wait(lambda: person.texts(f"{form} .callout.good")[:1], "the endpoint answers")
        at.anew(lambda: person.click(f"{form} .main"))
        at.open("/models")
        person.click("#route-new summary")
        form, route = "#route-new", {"name": "near", "settings.provider": "mine"}
        for key, text in (route | {"settings.when.channels": "web"}).items():
            at.put(f"{form} [name='{key}']", text)
        at.anew(lambda: person.click(f"{form} .main"))
        at.open("/chat")
        assert "echo" not in person.ask("hello")
        at.open("/models")
        at.put("[data-call$='/budgets'] [name='settings.all_day']", "0.01")
        at.anew(lambda: person.click("[data-call$='/budgets'] .main"))
        at.open("/chat")
        assert "spent" in person.ask("hello again")
        assert (0, True) == ((found := at.run("models"))[0], "mine" in found[1])


def test_a_plugin_is_trusted_tried_and_turned_off(at: Place) -> None:
    person, run = at.person, ("plugin", "run", "greeter.greet", "--name", "Bob")
    assert 0 != at.run(*run)[0]
    at.open("/plugins/greeter?sort=plugin")
    person.click("#trust form[data-call^=PUT] button")
    person.click("#ask .danger")
    person.wait(lambda: person.all("#try-greet"), "it may be tried")
    person.click("#try-greet summary")
    at.put("#try-greet [name='given.name']", "Ann")
    person.click("#try-greet .main")
    person.click("#ask .danger")
    person.wait(lambda: "Hello, Ann" in person.texts("#try-greet pre"), "it answers")
    assert (0, True) == ((found := at.run(*run))[0], "Hello, Bob" in found[1])
    person.click("#trust form[data-call^=DELETE] button")
    person.click("#ask .danger")
    person.wait(lambda: "not trusted" in person.texts("#trust")[0], "it is off")
    code, words = at.run(*run)
    assert (True, False) == (code != 0, "Hello" in words)


def test_the_record_is_checked_and_exported(at: Place) -> None:
    person, data = at.person, at.service.home / "data/clawdbot.db"
    at.open("/audit")

    def verdict() -> str:
        at.open("/audit")
        person.click("form[data-call$='/verdict'] .main")
        person.wait(lambda: person.texts("[data-result]")[0], "the verdict is told")
        return person.texts("[data-result]")[0]

    good = verdict()
    assert 0 == at.run("audit", "verify")[0]
    path = str(person.run("return document.querySelector('[download]').getAttribute('href')"))
    mine = at.ask("GET", path)[1].splitlines()
    theirs = [line for line in at.run("audit", "export")[1].splitlines() if line.startswith("{")]
    places = [
        {(row["chain"], row["place"]) for row in map(json.loads, lines)} for lines in (mine, theirs)
    ]
    assert places[0] == places[1] != set()
    with closing(sqlite3.connect(data, timeout=20)) as db:
        [[chain, outcome]] = db.execute(
            "SELECT chain, outcome FROM audit WHERE place = 1 LIMIT 1"
        ).fetchall()
        for text, told in (("forged", False), (outcome, True)):
            with db:
                where = "chain = ? AND place = 1"
                db.execute(f"UPDATE audit SET outcome = ? WHERE {where}", (text, chain))
            assert told == (verdict() == good)
            assert told == (at.run("audit", "verify")[0] == 0)


def test_the_log_is_read_while_it_is_written(at: Place) -> None:
    at.open("/logs?text=canary&level=warning")
    assert "No line fits." in at.person.texts("#log-lines")[0]
    with (at.service.home / "logs/clawdbot.log").open("a") as log:
        log.write('{"level":"warning","event":"a canary"}\n{"level":"warning","event":"a crow"}\n')
        log.write('{"level":"info","event":"a quiet canary"}\n')
    at.person.wait(lambda: "a canary" in at.person.texts("#log-lines")[0], "the line appears")
    assert 1 == at.person.texts("#log-lines")[0].count("canary")
    assert "a canary" in at.run("logs", "--level", "warning")[1]


def test_a_setting_holds_after_the_page_started_the_service_anew(at: Place) -> None:
    person, form = at.person, "#section-gateway"
    large = json.dumps({"settings": {"public_url": "x" * 5_000}, "section": "gateway"})
    at.open("/settings")
    assert 413 != at.ask("PUT", "/api/v1/settings", large)[0]
    at.put(f"{form} [name='settings.body_max_bytes']", "0")
    person.click(f"{form} .main")
    person.wait(lambda: person.texts(f"{form} .of-field"), "the fault is told beside the field")
    assert ["1 .."] == [text[-4:] for text in person.texts(f"{form} .of-field")]
    at.put(f"{form} [name='settings.body_max_bytes']", "4000")
    at.anew(lambda: person.click(f"{form} .main"))
    code, words = at.run("config", "show", "gateway.body_max_bytes")
    assert (0, True, True) == (code, "4000" in words, "settings.yaml" in words)
    at.open("/settings")
    assert 413 == at.ask("PUT", "/api/v1/settings", large)[0]


def test_a_tools_limit_is_added_and_removed_by_a_form(at: Place) -> None:
    person, form = at.person, "#entry-tools-new"
    at.open("/settings")
    person.click(f"{form} summary")
    at.put(f"{form} [name=name]", "time_now")
    person.click(f"{form} .main")
    person.wait(lambda: person.texts(f"{form} .of-field"), "what is missing is told")
    at.put(f"{form} [name='settings.per_hour']", "7")
    at.anew(lambda: person.click(f"{form} .main"))
    assert "7" in at.run("config", "show", "tools.time_now")[1]
    at.open("/settings")
    person.click("#entry-tools-time_now summary")
    person.click("#entry-tools-time_now .danger")
    at.anew(lambda: person.click("#ask .danger"))
    assert "tools.time_now" not in at.run("config", "show")[1]


def test_a_knock_appears_on_the_open_overview(at: Place) -> None:
    row = ("c0de", "telegram", "4711", "Mallory", "en", "", "open", 1e9, 4e9)
    with closing(sqlite3.connect(at.service.home / "data/clawdbot.db", timeout=20)) as db:
        with db:
            db.execute("DELETE FROM pairings")
        at.open("/overview")
        assert "Somebody knocks" not in at.person.texts("main")[0]
        at.person.wait(lambda: at.person.texts("#sandbox .good"), "the boxes were tried")
        with db:
            db.execute(f"INSERT INTO pairings VALUES ({', '.join('?' * len(row))})", row)
    told = "Somebody knocks"
    at.person.wait(lambda: told in at.person.texts("main")[0], "the knock is told")
    assert "Mallory" in at.run("user", "pairings")[1]


def test_a_guest_may_do_nothing_of_it_and_finds_nothing_of_others(at: Place) -> None:
    person, mine = at.person, sorted(at.service.home.glob("settings.yaml"))
    before = [file.read_text() for file in mine]
    person.driver.delete_all_cookies()
    log_in(person, at.service, GUEST)
    at.open("/approvals")
    closed = {
        f"{each.method} {each.path}": at.ask(
            each.method, "/api/v1" + each.path.replace("{", "").replace("}", "")
        )[0]
        for each in OPERATIONS
        if each.area is not None
    }
    assert {} == {name: status for name, status in closed.items() if status != 403}
    for method, path in (
        ("GET", "/chat/c0"),
        ("PATCH", "/api/v1/conversations/c0"),
        ("DELETE", "/api/v1/conversations/c0"),
        ("DELETE", "/api/v1/me/clients/0000"),
        ("DELETE", "/api/v1/me/accounts/telegram/4002"),
    ):
        assert 404 == at.ask(method, path, '{"title": "mine"}')[0], path
    assert before == [file.read_text() for file in mine]
    person.driver.delete_all_cookies()
    log_in(person, at.service, "Ann")
