"""What `get_webdriver()` gives in the box: Selenium's own client, on a line that the host holds.

Each command is a frame (see `clawdbot.plugins.frames`): `{"method", "path", "body"}`, its answer
`{"status", "value"}`. What Selenium does by scripts of its own is asked by commands here: a task
that types secrets runs no script.
"""

import json
from typing import Protocol

from selenium.webdriver.chrome.options import Options
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.errorhandler import ErrorHandler
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

from clawdbot.plugins import frames

_ADDRESS = "http://browser"  # names the line, and nothing is connected to


class Socket(Protocol):
    """What the host gave: a connected socket."""

    def send(self, data: bytes, /) -> int:
        """Send some of it; tells how much."""

    def recv(self, size: int, /) -> bytes:
        """Receive some; nothing where the host is gone."""


class Line(RemoteConnection):
    """Commands over an inherited socket."""

    def __init__(self, line: Socket) -> None:
        super().__init__(client_config=ClientConfig(_ADDRESS))
        self._line = line

    def _request(self, method: str, url: str, body: str | None = None) -> dict[str, object]:
        asked = {"method": method, "path": url.removeprefix(_ADDRESS)}
        whole = asked | ({"body": json.loads(body)} if body else {})
        data = frames.framed(json.dumps(whole).encode())
        while data:
            data = data[self._line.send(data) :]
        head = frames.exactly(frames.HEAD, self._line.recv)
        answer = json.loads(frames.exactly(int.from_bytes(head, "big"), self._line.recv))
        if answer["status"] == 200:
            return {"value": answer["value"]}
        return {"status": answer["status"], "value": json.dumps({"value": answer["value"]})}


class Element(WebElement):
    """An element whose questions are commands, not scripts."""

    def is_displayed(self) -> bool:
        """Tell whether it can be seen."""
        return bool(self._ask("GET", "displayed"))

    def get_attribute(self, name: str) -> str | None:
        """Read a property, or else the attribute."""
        found = self._ask("GET", f"property/{name}")
        if isinstance(found, bool):
            return "true" if found else None
        return str(found) if isinstance(found, str | int) else self.get_dom_attribute(name)

    def submit(self) -> None:
        """Submit its form."""
        self._ask("POST", "submit", "{}")

    def _ask(self, method: str, what: str, body: str | None = None) -> object:
        at = f"{_ADDRESS}/session/{self.parent.session_id}/element/{self.id}/{what}"
        answer = self.parent.command_executor._request(method, at, body)  # noqa: SLF001
        ErrorHandler().check_response(answer)
        return answer["value"]


def opened(line: Socket) -> WebDriver:
    """Open a browser on a line; what kind it is decides the host."""
    return WebDriver(
        command_executor=Line(line),
        options=Options(),
        file_detector=UselessFileDetector(),
        web_element_cls=Element,
    )
