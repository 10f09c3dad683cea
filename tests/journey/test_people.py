"""People, as an owner and a newcomer meet them: an invitation, a second factor, the way out."""

import re
import sqlite3
import subprocess
import sys
import time
from base64 import b32decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clawdbot.net.totp import STEP_S, code
from clawdbot.panel.qr import drawn
from tests.journey.browser import PASSWORD, PHONE, Person, Service, browsing, serving, set_up
from tests.journey.test_web import RULES
from tests.patience import PATIENCE_S

WORDS = "a good password"


@pytest.fixture
def running(place: Path) -> Iterator[tuple[Service, str]]:
    with serving(place / "home", RULES) as found:
        yield found


def invited(ann: Person, service: Service, bob: Person) -> None:
    """Have Ann invite Bob by a link, and Bob join by it."""
    ann.driver.get(service.address + "/people")
    ann.click("[data-open=invite]")
    ann.fill("#invite [name=name]", "Bob")
    ann.click("#invite .main")
    ann.wait(lambda: ann.texts("#invite code")[0].startswith("http"), "the link is shown")
    bob.driver.get(ann.texts("#invite code")[0])
    bob.fill("#join [name=password]", WORDS)
    assert "Bob" == bob.run("return document.querySelector('#join [name=name]').value")
    bob.click("#join .main")
    bob.wait(lambda: bob.driver.current_url.endswith("/chat"), "the chat opens")


def command(home: Path, *words: str) -> str:
    """Ask at the command line."""
    asked = (sys.executable, "-m", "clawdbot", "--home", str(home), *words)
    done = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.stdout + done.stderr


def test_a_person_is_erased_by_their_typed_name_and_the_page_tells_how_far(
    running: tuple[Service, str], place: Path
) -> None:
    service, link = running
    with browsing(place / "owner") as ann, browsing(place / "guest") as bob:
        set_up(ann, link)
        invited(ann, service, bob)
        bob.ask("hello")
        ann.driver.get(service.address + "/people")
        ann.click("#users tr:nth-child(2) a")
        ann.click("[data-open=erase]")
        ann.fill("#erase [name=typed]", "Bo")
        ann.click("#erase .buttons .danger")
        assert ann.run("return document.querySelector('#erase :invalid') !== null")
        assert "Bob\tmember\ten\tactive" in command(service.home, "user", "list")

        # While somebody reads the old pages of the database, they cannot be cut off.
        path = f"file:{service.home}/data/clawdbot.db?mode=ro"
        with closing(sqlite3.connect(path, uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT name FROM users").fetchall()
            ann.fill("#erase [name=typed]", "b")
            ann.click("#erase .buttons .danger")
            ann.wait(lambda: ann.driver.current_url.endswith("/people"), "the list opens")
            bob.wait(lambda: bob.driver.current_url.endswith("/login"), "Bob is out at once")
            ann.wait(lambda: counted(ann) is not None, "the page tells how far it is")
            ann.wait(lambda: len({*(counted(ann) or ())}) == 1, "all is forgotten")
            assert "Ann" in (told := command(service.home, "user", "list"))
            assert "Bob" not in told
        ann.wait(lambda: not ann.all("#erasures meter"), "it ends, and the page with it")
        assert "There is no user of that name." in command(
            service.home, "user", "erase", "Bob", "--dry-run"
        )
        assert [] == ann.complaints()


def counted(person: Person) -> list[str] | None:
    """Read how much is forgotten, and of how much; None where nothing is told."""
    told = [
        re.fullmatch(r"(\d+) of ([1-9]\d*) forgotten", t) for t in person.texts("#erasures .hint")
    ]
    return next((list(each.groups()) for each in told if each), None)


def test_a_newcomer_joins_by_a_link_and_is_shut_out(
    running: tuple[Service, str], place: Path
) -> None:
    service, link = running
    with browsing(place / "owner") as ann, browsing(place / "guest", "zh-CN") as bob:
        set_up(ann, link)
        bob.look(PHONE)
        invited(ann, service, bob)
        bob.driver.get(service.address + "/approvals")

        ann.driver.get(service.address + "/people")
        ann.click("#users tr:nth-child(2) a")
        ann.click("[name=disabled]")
        ann.click("form[data-call^=PATCH] .main")
        bob.wait(lambda: bob.driver.current_url.endswith("/login"), "the page is left at once")
        ann.wait(lambda: "disabled" in ann.texts("#facts")[0], "the page tells it")
        assert [] == ann.complaints()


def test_a_second_factor_is_set_up_and_asked_for(running: tuple[Service, str], place: Path) -> None:
    service, link = running
    with browsing(place / "owner") as ann:
        set_up(ann, link)
        ann.driver.get(service.address + "/me")
        ann.click('form[data-call$="/totp"] .main')
        ann.wait(lambda: ann.texts('[data-of="key"]')[0], "the key is shown")
        key = b32decode(ann.texts('[data-of="key"]')[0])
        made = drawn(str(ann.all("[data-address]")[0].get_attribute("href")))
        [path] = ann.all("[data-qr]")
        assert made.path == path.get_attribute("d")
        box = ann.run("return document.querySelector('[data-qr]').getBoundingClientRect().toJSON()")
        assert isinstance(box, dict)
        assert 100 < box["width"] == pytest.approx(box["height"])
        used = int(time.time()) // STEP_S
        ann.fill("[name=code]", code(key, used))
        ann.click('form[data-call$="/totp/confirm"] button')
        ann.wait(lambda: ann.texts("pre[data-lines]")[0], "the recovery codes are shown")
        recovery = ann.texts("pre[data-lines]")[0].split()
        assert 10 == len(recovery)
        ann.click("#side [action='/logout'] button")
        for _ in range(2):
            ann.wait(lambda: ann.all("[name=password]"), "the log-in asks")
            if not ann.driver.find_element("name", "name").get_attribute("value"):
                ann.fill("[name=name]", "Ann")
            ann.fill("[name=password]", PASSWORD)
            if ann.all("[name=code]"):
                ann.fill("[name=code]", recovery[0])
            ann.click("form .main")
        ann.wait(lambda: ann.driver.current_url.endswith("/chat"), "the chat opens")
