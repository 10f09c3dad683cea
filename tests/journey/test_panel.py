"""Every page of the panel, for an owner and a guest, in an empty, a full and a failing home.

No complaint of the browser, nothing that keeps people from using it (axe-core), nothing that sticks
out of a phone, no English for a Chinese reader, nothing asked of another host.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdbot.panel.shell import PLACES
from tests.fakes.serving import ROOT
from tests.journey.browser import (
    DESKTOP,
    PASSWORD,
    PHONE,
    Person,
    Service,
    browsing,
    serving,
    set_up,
)
from tests.journey.test_web import NAMES as WEB_NAMES
from tests.journey.test_web import RULES, Gallery
from tests.journey.world import NAMES, fill

AXE = ROOT / "tests/data/axe/axe.min.js"
GUEST = f"{NAMES[1]} 1"
PAGES = (*(place.path for place in PLACES), "/people/roles", "/components")
FIRST_PAGE_BYTES = 150_000
# What our sentences name as it is written: settings, a file, a route, an account.
SETTINGS = {"net", "proxy", "yaml", "emergency", "main", "json", "tls", "mb", "webhook", "searxng"}
# Names, code and what is marked as such stay as they are; the rest is ours to translate.
READABLE = """
const found = [document.title];
const apart = "bdi, code, pre, select, script, style, textarea, [translate=no]";
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement;
  if (parent.checkVisibility({ visibilityProperty: true }) && !parent.closest(apart)) {
    found.push(walker.currentNode.data);
  }
}
for (const name of ["aria-label", "title", "placeholder", "alt"]) {
  for (const each of document.querySelectorAll(`[${name}]`)) {
    if (!each.closest("[translate=no]")) found.push(each.getAttribute(name));
  }
}
found.push(...Object.values(JSON.parse(document.body.dataset.words ?? "{}")));
return found.join("\\n");
"""
SENT = """
return performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .map((each) => [new URL(each.name).host, each.encodedBodySize]);
"""

# Short words that are broken to a second line, and buttons whose mark would stand in a corner.
BROKEN = """
const cut = [...document.querySelectorAll(".rows td.short, .door button, .tile dd")]
  .filter((each) => each.checkVisibility() && !each.matches(".hint"))
  .filter((each) => {
    const range = document.createRange();
    range.selectNodeContents(each);
    const tops = [...range.getClientRects()].map((each) => each.bottom);
    return Math.max(...tops) - Math.min(...tops) > parseFloat(getComputedStyle(each).fontSize);
  });
const stray = [...document.querySelectorAll(".menu")]
  .filter((each) => each.checkVisibility() && getComputedStyle(each).position !== "relative");
return [...cut, ...stray].map((each) => each.outerHTML.slice(0, 100));
"""


@pytest.fixture
def running(place: Path) -> Iterator[tuple[Service, str]]:
    with serving(place / "home", RULES) as found:
        yield found


def test_the_checker_is_the_one_that_is_named() -> None:
    digest = hashlib.sha256(AXE.read_bytes()).hexdigest()
    assert digest in AXE.with_name("README.md").read_text()


def test_every_page_of_an_empty_and_a_full_home(running: tuple[Service, str], place: Path) -> None:
    service, link = running
    with browsing(place / "profile") as person:
        set_up(person, link)
        for page in PAGES:
            look_over(person, service, page)
        crowd(service)
        for page in PAGES:
            look_over(person, service, page)
        _weighs_little(person, service)


def test_every_page_of_a_failing_home_in_chinese(running: tuple[Service, str], place: Path) -> None:
    service, link = running
    with browsing(place / "profile", "zh-CN") as person:
        set_up(person, link)
        service.stop()
        fail(service)
        service.start()
        for page in PAGES:
            look_over(person, service, page)
            assert set() == english(person), page


def test_a_guest_sees_their_own_and_no_more(running: tuple[Service, str], place: Path) -> None:
    service, link = running
    with browsing(place / "profile") as person:
        set_up(person, link)
        fill(service.home, time.time(), conversations=20, people=6, password=PASSWORD)
    with browsing(place / "guest") as person:
        log_in(person, service, GUEST)
        open_ = [place.path for place in PLACES if place.area is None]
        person.driver.get(service.address + "/approvals")
        links = "return [...document.querySelectorAll('.places a')].map((a) => a.pathname)"
        assert open_ == person.run(links)
        for page in open_:
            look_over(person, service, page)
        for page in set(PAGES) - set(open_):
            person.driver.get(service.address + page)
            assert ["不可以"] == person.texts("h1"), page
            assert "你没有这个权限" in person.texts("main")[0], page


def log_in(person: Person, service: Service, name: str) -> None:
    person.driver.get(service.address + "/login")
    person.fill("[name=name]", name)
    person.fill("[name=password]", PASSWORD)
    person.click("form .main")
    person.wait(lambda: person.driver.current_url.endswith("/chat"), "the chat opens")


def fail(service: Service) -> None:
    """Have everything fail that a page may tell of: model, channel, room on the disk."""
    file = service.home / "clawdbot.yaml"
    text = file.read_text()
    text = text.replace("provider: play", "provider: dead").replace("ballast_mb: 0", DISK_LOW)
    file.write_text(text + CHANNEL)


DISK_LOW = "ballast_mb: 0\n  low_water_mb: 99999999"
CHANNEL = """
channels:
  telegram:
    main: {token: "1:x", base_url: "http://127.0.0.1:9"}
"""


def crowd(service: Service) -> None:
    """Fill the home, and have it know accounts that rest."""
    service.stop()
    file = service.home / "clawdbot.yaml"
    file.write_text(file.read_text() + CHANNELS)
    fill(service.home, time.time(), password=PASSWORD)
    service.start()


CHANNELS = """
channels:
  telegram:
    main: {token: "1:x", base_url: "http://127.0.0.1:9", paused: true}
    the-night-desk-of-the-whole-bank: {token: "2:x", base_url: "http://127.0.0.1:9", paused: true}
"""


def look_over(person: Person, service: Service, page: str) -> None:
    """See a page on a desktop and on a phone, in the dark too."""
    person.complaints()
    for size, dark in ((DESKTOP, False), (PHONE, True)):
        person.look(size, dark=dark)
        person.driver.get(service.address + page)
        assert [] == person.too_wide(), page
        assert [] == person.run(BROKEN), page
        assert [] == violations(person), page
    assert [] == person.complaints(), page


def violations(person: Person) -> list[str]:
    """List what axe-core finds, with the first place of each."""
    person.run(AXE.read_text())
    found = person.driver.execute_async_script(
        "const told = ({ id, nodes: [first] }) => `${id}: ${first.html} ${first.failureSummary}`;"
        "axe.run(document, { resultTypes: ['violations'] })"
        ".then((all) => arguments[0](all.violations.map(told)))"
    )
    assert isinstance(found, list)
    return [str(each) for each in found]


def english(person: Person) -> set[str]:
    """List the English words that a page shows outside names and code."""
    known = {name.lower() for name in WEB_NAMES} | SETTINGS
    words = re.findall(r"[A-Za-z][A-Za-z'\u2019-]+", str(person.run(READABLE)))
    return {word for word in words if word.lower() not in known}


def _weighs_little(person: Person, service: Service) -> None:
    person.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    for page in PAGES:
        person.driver.get(service.address + page)
        sent = person.run(SENT)
        assert isinstance(sent, list)
        hosts = {str(host) for host, _ in sent}
        assert {service.address.partition("://")[2]} == hosts, page
        assert FIRST_PAGE_BYTES > sum(int(size) for _, size in sent), page


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("state", ["empty", "full", "failing"])
def test_every_page_is_drawn(
    running: tuple[Service, str], place: Path, language: str, state: str
) -> None:
    service, link = running
    with browsing(place / "profile", language) as person:
        set_up(person, link)
        if state == "full":
            crowd(service)
        if state == "failing":
            service.stop()
            fail(service)
            service.start()
        gallery = Gallery(person, language)
        for page in PAGES:
            person.driver.get(service.address + page)
            gallery.draw(f"{state}{page.replace('/', '-')}")
        gallery.sheet(state)
