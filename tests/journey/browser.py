"""A real Chromium without a screen, and a real service for it: what a person would see and do."""

import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.fakes.serving import ROOT
from tests.patience import PATIENCE_S

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
PASSWORD = "correct horse"
PHONE = (360, 740)
DESKTOP = (1280, 800)

# Whatever a person reads: visible text outside lists of choices, and what assistive tools say.
READABLE = """
const found = [document.title];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement;
  if (parent.checkVisibility({ visibilityProperty: true }) && !parent.closest("select")) {
    found.push(walker.currentNode.data);
  }
}
for (const element of document.querySelectorAll("[aria-label], [title], [placeholder], [alt]")) {
  for (const name of ["aria-label", "title", "placeholder", "alt"]) {
    found.push(element.getAttribute(name) ?? "");
  }
}
found.push(...Object.values(JSON.parse(document.body.dataset.words ?? "{}")));
return found.join("\\n");
"""
WIDER = """
return [...document.querySelectorAll("body *")]
  .filter((each) => each.checkVisibility() && !each.closest(".table, pre"))
  .filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((each) => each.outerHTML.slice(0, 100));
"""


@dataclass(slots=True, kw_only=True)
class Person:
    """Somebody at a browser."""

    driver: Chrome

    def look(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Hold another device."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def texts(self, css: str) -> list[str]:
        found = self.run(f"return [...document.querySelectorAll('{css}')].map((e) => e.innerText)")
        assert isinstance(found, list)
        return [str(text) for text in found]

    def wait(self, condition: Callable[[], object], what: str = "") -> None:
        WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.02).until(
            lambda _: condition(), what
        )

    def click(self, css: str) -> None:
        self.wait(lambda: [e for e in self.all(css) if e.is_displayed()], css)
        next(e for e in self.all(css) if e.is_displayed()).click()

    def fill(self, css: str, text: str) -> None:
        self.wait(lambda: [e for e in self.all(css) if e.is_displayed()], css)
        self.all(css)[0].send_keys(text)

    def run(self, script: str) -> object:
        found: object = self.driver.execute_script(script)
        return found

    def say(self, text: str) -> None:
        self.fill("#words", text + Keys.ENTER)

    def ask(self, text: str) -> str:
        """Say something, and wait for its whole answer."""
        before = len(self.all(".answer[aria-busy=false]"))
        self.say(text)
        self.wait(lambda: len(self.all(".answer[aria-busy=false]")) > before, text)
        return self.texts(".answer .words")[-1]

    def complaints(self) -> list[str]:
        """List the console's errors since the last look."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def english(self, *names: str) -> set[str]:
        """List the English words that can be read, names apart."""
        known = {name.lower() for name in names}
        words = re.findall(r"[A-Za-z][A-Za-z'’-]+", str(self.run(READABLE)))
        return {word for word in words if word.lower() not in known}

    def too_wide(self) -> list[str]:
        """List what sticks out of the page to the right."""
        wider = self.run(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        found = self.run(WIDER)
        assert isinstance(found, list)
        return [*map(str, found), *(["the page"] if wider else [])]


def set_up(person: Person, link: str) -> None:
    """Become the owner, Ann, by the link that the service told."""
    person.driver.get(link)
    person.fill("[name=name]", "Ann")
    person.fill("[name=password]", PASSWORD)
    for _ in range(3):
        person.click("#setup .main")
    person.wait(lambda: person.driver.current_url.endswith("/chat"), "the chat opens")


@contextmanager
def browsing(profile: Path, language: str = "en") -> Iterator[Person]:
    """Open a browser with a fresh profile."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    own = (f"--user-data-dir={profile}", f"--lang={language}", f"--accept-lang={language}")
    for flag in (*FLAGS, *own):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    try:
        person = Person(driver=driver)
        person.look(DESKTOP)
        yield person
    finally:
        driver.quit()


class Service:
    """`clawdbot start`, as a person starts it."""

    def __init__(self, home: Path, rules: list[dict[str, object]], program: str) -> None:
        home.mkdir(mode=0o700)
        (home / "script.yaml").write_bytes(msgspec.yaml.encode(rules))
        settings = {
            "gateway": {"port": 0},
            "store": {"ballast_mb": 0},
            "providers": {
                "play": {"protocol": "scripted", "script": str(home / "script.yaml")},
                "dead": {"url": "http://127.0.0.1:9/v1", "model": "m", "retries": 0},
            },
            "model_routing": {
                "default": {"provider": "play"},
                "emergency": {"provider": "dead"},
                "broken": {"provider": "dead"},
            },
        }
        (home / "clawdbot.yaml").write_bytes(msgspec.yaml.encode(settings))
        self.home = home
        self.address = ""
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; give the link that it prints."""
        port = self.address.rpartition(":")[2] or "0"
        command = ("-m", self._program, "--home", str(self.home), "start", "--no-browser")
        self._process = subprocess.Popen(
            (sys.executable, *command, "--port", port), stdout=subprocess.PIPE, cwd=ROOT
        )
        assert self._process.stdout is not None
        text, deadline = "", time.monotonic() + PATIENCE_S
        while (found := re.search(r"(http://127\.0\.0\.1:\d+)\S*", text)) is None:
            ready, _, _ = select.select([self._process.stdout], [], [], deadline - time.monotonic())
            assert ready, f"nothing was printed: {text!r}"
            line = self._process.stdout.readline().decode()
            assert line, f"it ended: {text!r}"
            text += line
        self.address = found[1]
        return found[0]

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_S)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@contextmanager
def serving(
    home: Path, rules: list[dict[str, object]], program: str = "clawdbot"
) -> Iterator[tuple[Service, str]]:
    """Run a service, or a program that composes it with more; give it and the printed link."""
    service = Service(home, rules, program)
    try:
        yield service, service.start()
    finally:
        service.stop()
