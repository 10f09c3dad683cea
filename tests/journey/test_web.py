"""A conversation in a real browser: set-up, question, stream, reload, two tabs, Chinese, phone."""

import sqlite3
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

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

NUMBERS = "one two three four five six seven eight nine ten"
TABLE = """Your disk is **61 % full**.

| mount | size | free |
|-------|-----:|-----:|
| `/` | 512 GB | 199 GB |
| `/srv/backups/with/a/long/name` | 4096 GB | 12 GB |

```sh
du -xh --max-depth=1 / | sort -h | tail -n 12 && echo "a line that has to scroll by itself"
```

- More at https://example.com/disk
- ![a chart](https://evil.example/pixel.png)
"""
RULES: list[dict[str, object]] = [
    {"when": "count", "say": NUMBERS, "pause_s": 0.12},
    {"when": "forever", "say": "and\non " * 400, "pause_s": 0.03},
    {"when": "disk", "say": TABLE},
    {"when": "磁盘", "say": "**结果：**磁盘已用 61%。\n\n1. 根目录还剩 199 GB", "pause_s": 0.02},
]
NAMES = ("Clawdbot", "Telegram", "OpenAI", "BotFather", "UTC", "English", "Ann", "Cleo", "GB")
COMMANDS = ("restart", "setup", "new", "stop", "model", "usage", "help", "broken", "pair")
ADDRESSES = ("https", "example", "com", "v1")


@pytest.fixture
def running(place: Path) -> Iterator[tuple[Service, str]]:
    with serving(place / "home", RULES) as found:
        yield found


def test_a_first_conversation(running: tuple[Service, str], place: Path) -> None:
    service, link = running
    with browsing(place / "profile") as person:
        set_up(person, link)
        assert 4 == len(person.all(".example"))
        _streams(person)
        _stays_in_step(person)
        _stops(person)
        _writes(person)
        _reads_back(person, service)
        _fits_a_phone(person)
        assert [] == person.complaints()
        _outlives_a_restart(person, service)
        _leaves_and_comes_back(person)


# The page itself notes every state: whoever looks in from outside misses some on a busy machine.
WATCH = """
window.seen = [];
new MutationObserver(() => {
  for (const words of document.querySelectorAll(".answer .live")) seen.push(words.textContent);
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


def _streams(person: Person) -> None:
    # An answer grows at its end only, and its final form takes its place.
    person.run(WATCH)
    person.say("count for me")
    person.wait(lambda: person.all(".answer[aria-busy=false]"), "the answer is whole")
    seen = person.run("return window.seen")
    assert isinstance(seen, list)
    grown = sorted({str(text) for text in seen}, key=len)
    assert 4 <= len(grown)
    assert all(later.startswith(earlier) for earlier, later in pairwise(grown))
    assert [NUMBERS] == person.texts(".answer .words")
    assert ["count for me"] == person.texts(".own .words")
    person.wait(lambda: person.texts("#aside [aria-current] bdi") == ["count for me"], "the list")
    assert "/chat/" in person.driver.current_url
    assert "count for me · Clawdbot" == person.driver.title


def _stays_in_step(person: Person) -> None:
    # A reload in mid-answer and a second tab show the same, once.
    first = person.driver.current_window_handle
    address = person.driver.current_url
    person.driver.switch_to.new_window("tab")
    person.driver.get(address)
    second = person.driver.current_window_handle
    assert [NUMBERS] == person.texts(".answer .words")
    person.driver.switch_to.window(first)
    person.say("count again")
    person.wait(lambda: "three" in "".join(person.texts(".answer .live")), "it has begun")
    person.driver.refresh()
    person.wait(lambda: len(person.all(".answer")) == 2, "the answer is there again")
    assert person.texts(".answer .words")[-1].startswith("one two three")
    for tab in (first, second):
        person.driver.switch_to.window(tab)
        person.wait(lambda: person.texts(".answer .words") == [NUMBERS, NUMBERS], "both know it")
        assert ["count for me", "count again"] == person.texts(".own .words")
    person.driver.close()
    person.driver.switch_to.window(first)


def _stops(person: Person) -> None:
    person.wait(lambda: not [e for e in person.all("#stop") if e.is_displayed()], "nothing runs")
    person.say("forever")
    person.wait(lambda: person.texts(".answer .live"), "it has begun")
    # Whoever reads further up is left there.
    person.wait(lambda: person.run("return log.scrollHeight > log.clientHeight + 200"), "it grows")
    person.run("log.scrollTop = 0")
    before = len(person.texts(".answer .live")[0])
    person.wait(lambda: len(person.texts(".answer .live")[0]) > before + 50, "it goes on")
    assert 0 == person.run("return log.scrollTop")
    person.click("#down")
    person.click("#stop")
    person.wait(lambda: "(stopped)" in person.texts(".answer .words")[-1], "it stops")
    person.wait(lambda: not [e for e in person.all("#stop") if e.is_displayed()], "nothing to stop")


def _writes(person: Person) -> None:
    # An input method's Enter sends nothing; Shift+Enter begins a line; images are not loaded.
    composing = "{ key: 'Enter', isComposing: true, bubbles: true }"
    said = len(person.all(".own"))
    person.fill("#words", "ni hao")
    person.run(f"words.dispatchEvent(new KeyboardEvent('keydown', {composing}))")
    assert said == len(person.all(".own"))
    person.run("words.value = ''")
    assert "echo: 1\n2" == person.ask("1\ue008\n\ue0002")
    person.ask("disk")
    assert [] == person.all(".words img")
    assert ["a chart"] == person.texts('.words a[href^="https://evil"]')
    assert ["Copy"] == person.texts(".code .copy")
    loaded = "performance.getEntriesByType('resource').map((each) => new URL(each.name).host)"
    assert 1 == person.run(f"return new Set({loaded}).size")


def _reads_back(person: Person, service: Service) -> None:
    # Of a thousand turns a few stretches are in the page; scrolling brings the others, both ways,
    # and nothing that one reads moves.
    rows = (
        "INSERT INTO transcript"
        " SELECT id, ?, ?, 's', ?, user_id, ?, 0, 1, 1e9, '' FROM conversations"
    )
    part = '{"role": "%s", "parts": [{"type": "text", "source": "own", "text": "%s %s"}]}'
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db, db:
        for n in range(1000, 2000):
            for seq, role in enumerate(("user", "assistant")):
                db.execute(rows, (n, seq, f"t{n}", (part % (role, role, n)).encode()))
        db.execute("UPDATE conversations SET next_position = 2000")
    person.driver.refresh()
    person.wait(lambda: person.texts(".answer .words")[-1] == "assistant 1999", "the end is shown")
    assert len(person.all("#log .line")) < 130
    top = "return lines.querySelector('.own').getBoundingClientRect().top"
    person.run("log.scrollTop = 0")
    before = person.run(top)
    person.wait(lambda: person.all("#past .stretch"), "an earlier stretch comes")
    assert before == pytest.approx(person.run(top), abs=2)
    _scrolls(person, "log.scrollTop = 0", lambda: person.texts("#log .own .words")[:1], NUMBERED)
    assert "count for me" == person.texts("#log .own .words")[0]
    assert [] == [each for each in person.all("#lines .line") if each.is_displayed()]
    person.wait(lambda: [e for e in person.all("#down") if e.is_displayed()], "a way to the end")
    _scrolls(
        person, "log.scrollTop = log.scrollHeight", lambda: person.run("return lines.hidden"), False
    )
    person.run("log.scrollTop = log.scrollHeight")
    assert "assistant 1999" == person.texts("#log .answer .words")[-1]


NUMBERED = ["count for me"]


def _scrolls(person: Person, script: str, look: Callable[[], object], end: object) -> None:
    """Scroll on until something is so; all the while a bounded, unbroken stretch is in the page."""

    def there() -> bool:
        person.run(script)
        shown = [
            int(words.split()[1])
            for words in person.texts("#past .own .words")
            if words.startswith("user 1")
        ]
        assert list(range(shown[0], shown[0] + len(shown))) == shown if shown else True
        assert len(person.all("#past .stretch")) <= 4
        return look() == end

    person.wait(there, f"{script}: {end}")


def _fits_a_phone(person: Person) -> None:
    person.look(PHONE)
    assert [] == person.too_wide()
    person.click(".menu")
    person.wait(lambda: person.all("#side:popover-open"), "the drawer opens")
    assert [] == person.too_wide()
    person.click("#side .new")
    person.wait(lambda: person.all("#empty"), "a new conversation")
    assert [] == person.too_wide()
    person.driver.back()
    person.look(DESKTOP)


def _outlives_a_restart(person: Person, service: Service) -> None:
    # What is written while the service is away is sent when it is back, once.
    person.wait(lambda: person.all(".line"), "the conversation")
    service.stop()
    person.wait(lambda: person.texts("#status") != [""], "it tells")
    person.say("are you there")
    assert 1 == len(person.all(".unsent"))
    person.driver.execute_cdp_cmd("Page.stopLoading", {})
    service.start()
    person.wait(lambda: person.texts(".answer .words")[-1] == "echo: are you there", "it answers")
    assert 0 == len(person.all(".unsent"))
    person.driver.refresh()
    assert 1 == person.texts(".own .words").count("are you there")
    person.complaints()


def _leaves_and_comes_back(person: Person) -> None:
    person.click("#side footer button")
    person.fill("[name=name]", "Ann")
    person.fill("[name=password]", PASSWORD)
    person.click("form .main")
    person.wait(lambda: person.all(".lanes li"), "the chat opens")
    assert [] == person.complaints()


def test_a_chinese_user_reads_no_english(running: tuple[Service, str], place: Path) -> None:
    service, link = running
    names = (*NAMES, *COMMANDS, *ADDRESSES)
    with browsing(place / "profile", "zh-CN") as person:
        person.driver.get(link.partition("#")[0])
        assert set() == person.english(*names)
        person.driver.get("about:blank")
        person.driver.get(link)
        assert set() == person.english(*names)
        person.fill("[name=name]", "Ann")
        person.fill("[name=password]", PASSWORD)
        person.click("#setup .main")
        assert set() == person.english(*names)
        person.fill("[name=endpoint]", "http://127.0.0.1:9/v1")
        person.click("[data-check=model]")
        person.wait(lambda: person.all("output.bad"), "the check fails")
        assert set() == person.english(*names, "http")
        person.all("[name=endpoint]")[0].clear()
        person.click("#setup .main")
        assert set() == person.english(*names)
        person.click("#setup .main")
        person.wait(lambda: person.driver.current_url.endswith("/chat"), "the chat opens")
        assert set() == person.english(*names)
        assert "结果：磁盘已用 61%。" in person.ask("磁盘还剩多少")
        assert "/new" in person.ask("/help")
        person.ask("/model broken")
        failed = person.ask("你好")
        assert "无法回答" in failed
        assert set() == person.english(*names)
        _knocks(service)
        person.driver.refresh()
        person.wait(lambda: person.all(".door"), "somebody knocks")
        assert set() == person.english(*names)
        person.click(".door button[value=member]")
        person.wait(lambda: not person.all(".door"), "they are let in")
        person.driver.get(service.address + "/nowhere")
        assert set() == person.english(*names)
        assert ["404"] == [c.partition("status of ")[2][:3] for c in person.complaints()]
        person.driver.get(service.address + "/chat")
        person.click("#side footer button")
        person.wait(lambda: person.all("[name=password]"), "the log-in")
        person.fill("[name=name]", "Ann")
        person.fill("[name=password]", "wrong")
        person.click("form .main")
        person.wait(lambda: person.all(".fault"), "it is refused")
        assert set() == person.english(*names)


def _knocks(service: Service) -> None:
    row = ("c0de", "telegram", "4711", "Cleo", "zh", "", "open", 1e9, 4e9)
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db, db:
        db.execute("INSERT INTO pairings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_drawn(running: tuple[Service, str], place: Path, language: str) -> None:
    service, link = running
    with browsing(place / "profile", language) as person:
        draw = Gallery(person, language).draw
        person.driver.get(service.address)
        draw("no-owner")
        person.driver.get("about:blank")
        person.driver.get(link)
        draw("set-up-you")
        person.fill("[name=name]", "Ann")
        person.fill("[name=password]", PASSWORD)
        person.click("#setup .main")
        person.fill("[name=endpoint]", "http://127.0.0.1:9/v1")
        person.click("[data-check=model]")
        person.wait(lambda: person.all("output.bad"), "the check fails")
        draw("set-up-model")
        person.all("[name=endpoint]")[0].clear()
        person.click("#setup .main")
        draw("set-up-telegram")
        person.click("#setup .main")
        person.wait(lambda: person.driver.current_url.endswith("/chat"), "the chat opens")
        draw("chat-empty")
        person.ask("how full is my disk" if language == "en" else "磁盘还剩多少")
        person.ask("disk")
        draw("chat")
        person.say("forever")
        person.wait(lambda: person.texts(".answer .live"), "it has begun")
        draw("chat-streaming")
        person.click("#stop")
        _knocks(service)
        person.driver.refresh()
        draw("chat-knock")
        person.look(PHONE)
        person.click(".menu")
        draw("chat-drawer", sizes=(PHONE,))
        person.click("#side footer button")
        draw("log-in")


class Gallery:
    """Pictures of every page on every device, in `build/pages`."""

    def __init__(self, person: Person, language: str) -> None:
        self._person = person
        self._folder = ROOT / "build" / "pages" / language
        self._folder.mkdir(parents=True, exist_ok=True)

    def draw(
        self, name: str, sizes: tuple[tuple[int, int], ...] = (DESKTOP, (390, 844), PHONE)
    ) -> None:
        """Take the page's picture in each size, by day and by night; nothing may stick out."""
        for size in sizes:
            for dark in (False, True):
                self._person.look(size, dark=dark)
                assert [] == self._person.too_wide(), name
                file = f"{name}-{size[0]}-{'dark' if dark else 'light'}.png"
                self._person.driver.save_screenshot(str(self._folder / file))

    def sheet(self, begin: str) -> None:
        """Lay the pictures whose names begin so out on one page, and take its picture too."""
        names = sorted(path.name for path in self._folder.glob(f"{begin}-*.png"))
        pictures = "".join(
            f'<a href="{name}"><img src="{name}" alt="{name}" title="{name}" height="360"></a> '
            for name in names
        )
        page = self._folder / f"{begin}.html"
        page.write_text(f'<!doctype html><body style="width:1800px">{pictures}</body>')
        self._person.driver.get(page.as_uri())
        taken = self._person.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True}
        )
        page.with_suffix(".png").write_bytes(b64decode(taken["data"]))
