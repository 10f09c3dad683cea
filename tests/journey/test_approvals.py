"""A question in a real browser: reloaded, answered in another tab, on a phone, in Chinese."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.action_chains import ActionChains

from tests.journey.browser import DESKTOP, PHONE, Person, Service, browsing, serving, set_up
from tests.journey.test_web import ADDRESSES, COMMANDS, NAMES, Gallery

LONG = "for the flat in Long Street; " * 40
RULES: list[dict[str, object]] = [
    {"when": "rent", "calls": [{"tool": "pay", "arguments": {"to": "landlord", "amount": 900}}]},
    {"when": "房租", "calls": [{"tool": "pay", "arguments": {"to": "房东", "amount": 900}}]},
    {
        "when": "everything",
        "calls": [
            {"tool": "pay", "arguments": {"to": "landlord", "amount": 900, "purpose": LONG}},
            {"tool": "pay", "arguments": {"to": "nobody", "amount": 1}},
        ],
    },
]
CARD = ".asked"
BUTTONS = [
    *("Yes, once", "Yes, in this conversation", "Always exactly this", "No"),
    "Never exactly this",
]
CHOICES = f"{CARD} .choices button:enabled"


@pytest.fixture
def running(place: Path) -> Iterator[tuple[Service, str]]:
    with serving(place / "home", RULES, "tests.journey.bank") as found:
        yield found


def paid(service: Service) -> list[str]:
    file = service.home / "paid"
    return file.read_text().splitlines() if file.exists() else []


def card_says(person: Person, text: str) -> None:
    person.wait(lambda: any(text in shown for shown in person.texts(CARD)), f"a card says {text}")


def test_a_question_is_answered_wherever_it_is_seen(
    running: tuple[Service, str], place: Path
) -> None:
    service, link = running
    with browsing(place / "profile") as person:
        set_up(person, link)
        _asks_and_shows_all(person, service)
        _is_in_step_in_two_tabs(person, service)
        _is_answered_by_keyboard(person, service)
        _is_answered_on_the_page(person, service)
        _outlives_a_restart(person, service)
        _is_taken_back(person, service)
        assert [] == person.complaints()


def _asks_and_shows_all(person: Person, service: Service) -> None:
    person.say("everything that is due")
    card_says(person, "May I do this?")
    person.wait(lambda: person.all(CHOICES), "it may be pressed")
    [text] = person.texts(CARD)
    assert LONG.strip() in text.replace("\n", " ")
    assert '"to":"nobody"' in text
    assert BUTTONS == person.texts(CHOICES)
    # Nothing of it is scrolled out of sight inside the card.
    cut = "[...document.querySelectorAll('.asked, .asked *')].filter((e) => e.checkVisibility())"
    assert 0 == person.run(
        f"return {cut}.filter((e) => e.scrollHeight > e.clientHeight + 2 && "
        "getComputedStyle(e).overflowY !== 'visible').length"
    )
    for size in (PHONE, DESKTOP):
        person.look(size)
        assert [] == person.too_wide()
    person.wait(lambda: person.texts(".waits .count") == ["1"], "the list tells")
    assert [] == paid(service)
    person.click(f"{CHOICES}:last-child")
    card_says(person, "Not done.")
    assert [] == person.all(CHOICES)
    person.wait(lambda: person.all(".answer[aria-busy=false]"), "the turn goes on")
    person.wait(lambda: not person.all(".waits .count"), "nothing waits")
    assert [] == paid(service)


def _is_in_step_in_two_tabs(person: Person, service: Service) -> None:
    person.say("pay the rent")
    person.wait(lambda: person.all(CHOICES), "it is asked")
    person.driver.refresh()
    person.wait(lambda: person.all(CHOICES), "it is asked again after a reload")
    first, address = person.driver.current_window_handle, person.driver.current_url
    person.driver.switch_to.new_window("tab")
    person.driver.get(address)
    person.wait(lambda: person.all(CHOICES), "the other tab asks")
    person.click(CHOICES)
    card_says(person, "Allowed.")
    person.driver.close()
    person.driver.switch_to.window(first)
    card_says(person, "Allowed.")
    assert [] == person.all(CHOICES)
    person.wait(lambda: person.texts(".answer .words")[-1] == "paid 900 to landlord", "it is done")
    assert ["900 landlord"] == paid(service)


def _is_answered_by_keyboard(person: Person, service: Service) -> None:
    person.say("the rent again")
    person.wait(lambda: person.all(CHOICES), "it is asked")
    labels = []
    for _ in range(30):
        ActionChains(person.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(
            Keys.SHIFT
        ).perform()
        labels.append(str(person.run("return document.activeElement.textContent")))
        if labels[-1] == "Yes, once":
            break
    assert "Yes, once" == labels[-1]
    ActionChains(person.driver).send_keys(Keys.ENTER).perform()
    person.wait(lambda: 2 == len(paid(service)), "it is paid")


def _is_answered_on_the_page(person: Person, service: Service) -> None:
    person.wait(lambda: not person.all(CHOICES), "nothing waits")
    person.say("rent for the third month")
    person.wait(lambda: person.all(CHOICES), "it is asked")
    conversation = person.driver.current_window_handle
    person.driver.switch_to.new_window("tab")
    person.driver.get(service.address + "/approvals")
    assert "Approvals · Clawdbot" == person.driver.title
    for size in (PHONE, DESKTOP):
        person.look(size)
        assert [] == person.too_wide()
    person.click(".asked form .main")
    person.wait(lambda: not person.all(".asked"), "it is answered")
    assert "Nothing waits for an answer." in person.texts("#questions")[0]
    person.driver.close()
    person.driver.switch_to.window(conversation)
    card_says(person, "Allowed.")
    person.wait(lambda: 3 == len(paid(service)), "it is paid")


def _outlives_a_restart(person: Person, service: Service) -> None:
    person.wait(lambda: not person.all(CHOICES), "nothing waits")
    person.say("rent before the night")
    person.wait(lambda: person.all(CHOICES), "it is asked")
    service.stop()
    person.wait(lambda: person.texts("#status") != [""], "it tells")
    service.start()
    person.wait(lambda: person.texts("#status") == [""], "it is back")
    person.wait(lambda: len(BUTTONS) == len(person.all(CHOICES)), "it asks once more, once")
    person.click(CHOICES)
    person.wait(lambda: 4 == len(paid(service)), "it is paid")
    person.complaints()


def _is_taken_back(person: Person, service: Service) -> None:
    person.wait(lambda: not person.all(CHOICES), "nothing waits")
    person.say("rent, or rather not")
    person.wait(lambda: person.all(CHOICES), "it is asked")
    person.click("#stop")
    card_says(person, "Taken back; not done.")
    assert 4 == len(paid(service))


def test_a_chinese_user_reads_no_english_in_a_question(
    running: tuple[Service, str], place: Path
) -> None:
    service, link = running
    names = (*NAMES, *COMMANDS, *ADDRESSES, "pay", "money", "to", "amount", "purpose")
    with browsing(place / "profile", "zh-CN") as person:
        set_up(person, link)
        person.say("请交房租")
        person.wait(lambda: person.all(CHOICES), "it is asked")
        assert set() == person.english(*names)
        person.driver.get(service.address + "/approvals")
        assert set() == person.english(*names)
        person.click(".asked form .main")
        person.wait(lambda: person.all(".past"), "it is answered")
        person.click(".past summary")
        assert set() == person.english(*names)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_question_is_drawn(running: tuple[Service, str], place: Path, language: str) -> None:
    service, link = running
    with browsing(place / "profile", language) as person:
        draw = Gallery(person, language).draw
        set_up(person, link)
        person.say("everything that is due")
        person.wait(lambda: person.all(CHOICES), "it is asked")
        person.say("请交房租")
        person.wait(lambda: len(person.all(CHOICES)) == 2 * len(BUTTONS), "it is asked")
        draw("asked")
        person.click(f"{CHOICES}:last-child")
        person.wait(lambda: len(person.all(CHOICES)) == len(BUTTONS), "it is answered")
        draw("asked-answered")
        person.driver.get(service.address + "/approvals")
        draw("approvals")
        person.driver.get(service.address + "/chat")
        person.look(PHONE)
        person.click(".menu")
        draw("asked-drawer", sizes=(PHONE,))
