"""The chat page in a real browser: words anew, files, voice, tools, models, keys, search, names."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from selenium.webdriver import Keys

from tests.journey.browser import PHONE, Person, Service, browsing, serving, set_up

RULES: list[dict[str, object]] = [
    {"when": "forever", "say": "and\non " * 400, "pause_s": 0.03},
    {"when": "keep", "calls": [{"tool": "note_add", "arguments": {"text": "the spare key"}}]},
    {
        "when": "slowly",
        "then": "one two three four five six seven eight",
        "pause_s": 0.4,
        "calls": [{"tool": "note_add", "arguments": {"text": "later"}}],
    },
    {"when": "code", "say": "Use **this**:\n\n```sh\ndu -sh\n```"},
]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
COPIED = "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))"


@pytest.fixture
def running(place: Path) -> Iterator[tuple[Service, str]]:
    with serving(place / "home", RULES) as found:
        yield found


def test_everything_that_one_does_with_a_conversation(
    running: tuple[Service, str], place: Path
) -> None:
    service, link = running
    with browsing(place / "profile") as person:
        set_up(person, link)
        _writes_anew(person, service)
        _copies(person, service)
        _sees_what_was_done(person)
        _sends_files(person, place)
        _chooses_a_model(person)
        _uses_keys(person)
        _searches(person)
        _renames_and_deletes(person, service)
        [refused] = person.complaints()
        assert "name=empty.txt" in refused


def own(person: Person) -> list[str]:
    return person.texts("#lines .own .words")


def kept(service: Service) -> list[tuple[str, bool]]:
    """List the words in the store, and whether another turn stands in their place."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        query = "SELECT body, superseded_by <> '' FROM transcript ORDER BY position, seq"
        return [(body.decode(), bool(old)) for body, old in db.execute(query)]


def _idle(person: Person) -> None:
    person.wait(lambda: person.all(".answer.last"), "nothing runs")


def _writes_anew(person: Person, service: Service) -> None:
    # By the up key and by its button; the answer by its own. The store forgets nothing.
    person.ask("first")
    person.ask("secnod")
    _idle(person)
    person.fill("#words", Keys.UP)
    assert "secnod" == person.run("return words.value")
    person.fill("#words", Keys.ESCAPE)
    assert "" == person.run("return words.value")
    person.click(".own.last [data-act=edit]")
    person.fill("#words", Keys.BACKSPACE * 3 + "ond" + Keys.ENTER)
    person.wait(lambda: own(person) == ["first", "second"], "the earlier is gone")
    person.wait(lambda: "echo: second" in person.texts(".answer .words"), "it is answered")
    _idle(person)
    person.click(".answer.last [data-act=again]")
    person.wait(lambda: 2 == len([b for b, old in kept(service) if old and "second" in b]), "anew")
    _idle(person)
    for _ in range(2):
        assert ["first", "second"] == own(person)
        assert ["echo: first", "echo: second"] == person.texts("#lines .answer .words")
        person.driver.refresh()
        person.wait(lambda: person.all(".answer"), "the same after a reload")
    assert [True, True] == [old for body, old in kept(service) if "secnod" in body]


def _copies(person: Person, service: Service) -> None:
    rights = {"origin": service.address, "permissions": ["clipboardReadWrite"]}
    person.driver.execute_cdp_cmd("Browser.grantPermissions", rights)
    person.ask("code")
    for button, text in (
        ("#lines .answer.last [data-act=copy]", "Use **this**:\n\n```sh\ndu -sh\n```"),
        ("#lines .answer.last .code .copy", "du -sh\n"),
    ):
        person.click(button)
        person.wait(lambda: text == person.driver.execute_async_script(COPIED), text)  # noqa: B023


def _sees_what_was_done(person: Person) -> None:
    person.ask("keep this")
    person.wait(lambda: person.all(".calls"), "what was used")
    assert ["Used note_add"] == person.texts(".calls summary")
    person.click(".calls summary")
    assert "the spare key" in person.texts(".calls pre")[0]
    assert ["Allowed"] == person.texts(".calls .state")
    # Also of a turn that runs while the page is loaded anew.
    person.say("slowly")
    person.wait(lambda: "one" in "".join(person.texts(".answer .live")), "it writes")
    person.driver.refresh()
    person.wait(lambda: 2 == len(person.all(".calls")), "what was used")
    assert ["one two three four five six seven eight"] == person.texts(".answer.last .words")


def _sends_files(person: Person, place: Path) -> None:
    picture, text = place / "pixel.png", place / "notes of mine.txt"
    picture.write_bytes(PIXEL)
    text.write_text("plain words")
    (place / "empty.txt").touch()
    person.all("#files")[0].send_keys(f"{picture}\n{text}\n{place / 'empty.txt'}")
    person.wait(lambda: person.all(".slot.failed"), "the empty one is refused")
    assert ["This file is empty."] == person.texts(".slot.failed [role=alert]")
    person.wait(lambda: person.all(".slot img"), "a picture before it is sent")
    # Pasted and dropped ones come along.
    given = "const data = new DataTransfer(); data.items.add(new File(['x'], '%s'));"
    paste = "words.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))"
    drop = "document.dispatchEvent(new DragEvent('drop', {dataTransfer: data}))"
    for how, name in ((paste, "pasted.txt"), (drop, "dropped.txt")):
        person.run(given % name + how)
        person.wait(lambda: name in "".join(person.texts(".slot .name")), name)  # noqa: B023
        person.run("document.querySelector('.slot:last-child button').click()")
    person.fill("#words", "with files" + Keys.ENTER)
    assert "with files" not in own(person)
    person.click(".slot.failed button")
    person.click("#voice")
    person.wait(lambda: "0m01s" in person.texts("#status")[0], "it records")
    person.click("#voice")
    person.wait(
        lambda: any("Voice note 0m0" in each for each in person.texts(".slot")), "it stands"
    )
    person.wait(lambda: not person.all(".slot progress"), "all are there")
    before = len(person.all(".answer[aria-busy=false]"))
    person.fill("#words", Keys.ENTER)
    person.wait(lambda: len(person.all(".answer[aria-busy=false]")) > before, "it is answered")
    for _ in range(2):
        assert ["pixel.png"] == person.run(
            "return [...document.querySelectorAll('#lines .files img')].map((e) => e.alt)"
        )
        names = person.texts("#lines .files li > a:not(.picture)")
        assert ("notes of mine.txt", True) == (names[0], names[1].startswith("Voice note 0m0"))
        assert 1 == len(person.all("#lines .files audio[controls]"))
        person.wait(
            lambda: person.run("return document.querySelector('.files img').naturalWidth"), "shown"
        )
        person.driver.refresh()
        person.wait(lambda: person.all(".files"), "the same after a reload")


def _chooses_a_model(person: Person) -> None:
    person.run("route.value = 'broken'; route.dispatchEvent(new Event('change'))")
    person.wait(lambda: "next answer" in person.texts("#status")[0], "it is kept")
    assert "could not answer" in person.ask("hello?")
    person.driver.refresh()
    person.wait(lambda: person.all("#route"), "the menu")
    assert "broken" == person.run("return route.value")
    person.run("route.value = 'default'; route.dispatchEvent(new Event('change'))")
    person.wait(lambda: "next answer" in person.texts("#status")[0], "it is kept")
    assert "echo: and now" == person.ask("and now")


def _uses_keys(person: Person) -> None:
    # No key is taken from an input method or a field; Escape stops; a slash offers commands.
    body = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '%s', bubbles: true%s}))"
    person.run("document.activeElement.blur();" + body % ("?", ", isComposing: true"))
    assert [] == person.all("dialog[open]")
    person.run(body % ("?", ""))
    assert ["Keyboard"] == person.texts("dialog[open] h2")
    person.click("dialog[open] [data-close]")
    person.fill("#words", "/us")
    offered = [each.text for each in person.all("#commands li button") if each.is_displayed()]
    assert [True] == [each.startswith("/usage") for each in offered]
    person.fill("#words", Keys.TAB)
    assert "/usage" == person.run("return words.value")
    person.run("words.value = ''")
    person.say("forever")
    person.wait(lambda: person.texts(".answer .live"), "it has begun")
    person.fill("#words", Keys.ESCAPE)
    person.wait(lambda: "(stopped)" in person.texts(".answer .words")[-1], "it stops")


def _searches(person: Person) -> None:
    here = person.driver.current_url
    person.fill("#words", Keys.CONTROL + Keys.SHIFT + "o")
    person.wait(lambda: person.all("#empty"), "a new conversation")
    person.fill("#words", Keys.CONTROL + "k")
    person.driver.switch_to.active_element.send_keys("spare key")
    person.wait(lambda: person.texts("#hits mark"), "it is found")
    assert {"spare", "key"} == {*" ".join(person.texts("#hits mark")).split()}
    person.driver.switch_to.active_element.send_keys(Keys.ENTER)
    person.wait(lambda: person.all(".found"), "its place is shown")
    assert ["keep this"] == person.texts(".found .words")
    assert here == person.driver.current_url.partition("#")[0]


def _renames_and_deletes(person: Person, service: Service) -> None:
    person.look(PHONE)
    assert [] == person.too_wide()
    person.click("#more")
    person.click("[data-open=renaming]")
    person.wait(lambda: person.run("return rename.elements.title.value") == "first", "its name")
    person.fill("#rename [name=title]", " and more" + Keys.ENTER)
    person.wait(lambda: ["first and more"] == person.texts(".bar h1"), "it has a new name")
    person.click("#more")
    person.click("[data-open=forgetting]")
    person.click("#forgetting [data-close]")
    assert kept(service)
    person.click("#more")
    person.click("[data-open=forgetting]")
    person.click("#forget .danger")
    person.wait(lambda: person.all("#empty"), "a new conversation")
    assert [] == kept(service)
    assert [] == person.too_wide()
