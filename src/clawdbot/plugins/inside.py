"""The worker's program, inside the box: load one plugin, tell what it registers, call it.

    python -I -S inside.py [--net=4] [--browser=5] MAIN FOLDER...
                                               speak frames on descriptor 3 until it closes
    python -I -S inside.py --test FOLDER...    run the `test_*.py` of the first folder

MAIN is a file of the first folder (`disk.py`) or a module that is found there (`package.module`).
An error that nobody expected is told and ends this process: the next call meets a fresh one.
"""

import builtins
import json
import os
import select
import signal
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Coroutine
from fcntl import F_SETFL, F_SETOWN, fcntl
from functools import partial
from importlib import import_module
from importlib.machinery import SourceFileLoader
from io import TextIOBase
from types import CoroutineType, FrameType, ModuleType, TracebackType

_HERE = __file__.rsplit("/", 1)[0]
_ROOT = __file__.rsplit("/", 3)[0]
_CHANNEL = 3
_FOLDER = f"{os.getcwd()}/call"
_PRINTED_MOST = 1 << 16
_TRACE_MOST = 1 << 14


def _find() -> None:
    """Make our package known by its place alone; a box may not be able to list what is above."""
    for name, folder in (("clawdbot", f"{_ROOT}/clawdbot"), ("clawdbot.plugins", _HERE)):
        module = ModuleType(name)
        module.__path__ = [folder]
        sys.modules[name] = module
    loader = SourceFileLoader("clawdbot.plugins", f"{_HERE}/__init__.py")
    loader.exec_module(sys.modules["clawdbot.plugins"])


_find()

from clawdbot.plugins import frames, report  # noqa: E402 - the path above leads there
from clawdbot.plugins.errors import ArgumentError, PluginError, UnavailableError  # noqa: E402
from clawdbot.plugins.files import File  # noqa: E402
from clawdbot.plugins.parameters import bound, parameters  # noqa: E402
from clawdbot.plugins.recorded import RECORDS, Record  # noqa: E402
from clawdbot.plugins.values import plain  # noqa: E402


class _Cancelled(BaseException):
    """The call was cancelled."""


class _Printed(TextIOBase):
    """What the plugin prints, as frames, up to a limit a call."""

    def __init__(self) -> None:
        self.left = _PRINTED_MOST

    def write(self, text: str) -> int:
        if self.left > 0 and text != "\n":
            _send({"is": "printed", "text": plain(text[: self.left])})
            self.left -= len(text)
        return len(text)


class _Worker:
    """The one plugin of this process, and the call that it is at."""

    def __init__(self) -> None:
        self._printed = _Printed()
        self._records: dict[str, Record] = {}
        self._call: object = None
        self._process = os.getpid()

    def run(self, main: str, folder: str) -> None:
        """Load the plugin and serve calls, one after the other."""
        sys.stdout = sys.stderr = self._printed
        sys.excepthook = self._unexpected
        os.set_inheritable(_CHANNEL, False)  # noqa: FBT003 - positional only
        _silence()
        fcntl(_CHANNEL, F_SETOWN, self._process)
        signal.signal(signal.SIGIO, self._heard)
        report.listeners.append(_progress)
        _load(main, folder)
        functions = [_manifest(each) for each in RECORDS]
        self._records = {_name(each): each for each in RECORDS}
        _send({"is": "manifest", "functions": functions})
        while (frame := _receive()) is not None:
            if frame["do"] == "file":
                _write(str(frame["name"]), str(frame["data"]))
            elif frame["do"] == "call":
                self._answer(frame)

    def _answer(self, frame: dict[str, object]) -> None:
        self._call = call = frame["id"]
        self._printed.left = _PRINTED_MOST
        os.makedirs(_FOLDER, exist_ok=True)
        os.chdir(_FOLDER)
        try:
            _listen(os.O_ASYNC)
            value = self._called(self._records[str(frame["name"])].function, frame["arguments"])
        except (PluginError, _Cancelled) as error:
            answer = _failure(type(error), str(error) or str(error.__doc__))
            answer |= {"is": "failed", "id": call}
        else:
            _hand_out(value)
            answer = {"is": "done", "id": call, "value": plain(value)}
        self._call = None
        _listen(0)
        _send(answer)
        _clear()

    def _called(self, function: Callable[..., object], arguments: object) -> object:
        if not isinstance(arguments, dict):
            raise ArgumentError("Give the arguments as an object.")
        value = function(**bound(function, arguments))
        if isinstance(value, CoroutineType):
            value = _awaited(value)
        if os.getpid() != self._process:  # the function forked; only one of us answers
            os._exit(0)
        return value

    def _heard(self, _: int, __: FrameType | None) -> None:
        """Look at what arrives during a call: it can only end it, and only once."""
        if self._call is not None and select.select([_CHANNEL], [], [], 0)[0]:
            self._call = None
            _receive()
            raise _Cancelled

    def _unexpected(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        import traceback  # noqa: PLC0415 - costs 5 ms, and nothing went wrong yet

        while trace and trace.tb_next and trace.tb_frame.f_code.co_filename.startswith(_OURS):
            trace = trace.tb_next
        answer = _failure(kind, str(error))
        answer["trace"] = plain("".join(traceback.format_exception(kind, error, trace)))
        loaded = bool(self._records)
        _send(answer | ({"is": "failed", "id": self._call} if loaded else {"is": "broken"}))


_OURS = (f"{_ROOT}/clawdbot/", "<frozen importlib")


_lines: dict[str, int] = {}


def get_webdriver() -> object:
    """Give a browser task its browser; where the host has brought none, say so."""
    if "browser" not in _lines:
        raise UnavailableError("There is no browser for plugins here.")
    import socket  # noqa: PLC0415 - Selenium needs it, others do not

    line = socket.socket(fileno=os.dup(_lines["browser"]))
    opened: object = import_module("clawdbot.plugins.driver").opened(line)
    return opened


def _load(main: str, folder: str) -> None:
    # Plugins use the name without an import.
    builtins.get_webdriver = get_webdriver  # type: ignore[attr-defined]
    if not main.endswith(".py"):
        import_module(main)
        return
    # Under a name of its own: a plugin may be called like a module that others import.
    module = ModuleType(f"plugin_{main.removesuffix('.py')}")
    module.__file__ = f"{folder}/{main}"
    sys.modules[module.__name__] = module
    SourceFileLoader(module.__name__, module.__file__).exec_module(module)


def _name(record: Record) -> str:
    return record.options.get("name") or record.function.__name__


def _manifest(record: Record) -> dict[str, object]:
    declared = {key: value for key, value in record.options.items() if key != "name"}
    lines = (record.function.__doc__ or "").strip().splitlines()
    return {
        **declared,
        "name": _name(record),
        "kind": record.kind,
        "description": "\n".join(line.strip() for line in lines),
        "parameters": parameters(record.function),
    }


def _awaited(value: Coroutine[object, object, object]) -> object:
    import asyncio  # noqa: PLC0415 - costs 70 ms, and most plugins need none

    return asyncio.run(value)


def _silence() -> None:
    """Lose what is written past `sys.stdout`: nobody reads it, and a full pipe would block."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _write(name: str, data: str) -> None:
    """Add a piece to a file of the next call."""
    os.makedirs(_FOLDER, exist_ok=True)
    with open(f"{_FOLDER}/{os.path.basename(name)}", "ab") as file:
        file.write(b64decode(data))


def _hand_out(value: object) -> None:
    """Send the files that are handed out: what was returned, or the members of a list of it."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, File):
            with open(each, "rb") as file:
                while piece := file.read(frames.PIECE):
                    data = b64encode(piece).decode()
                    _send({"is": "file", "name": plain(each.name), "data": data})


def _clear() -> None:
    """End the call's folder with the call."""
    os.chdir("/")
    for folder, _, files in os.walk(_FOLDER, topdown=False):
        for name in files:
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)


def _failure(kind: type[BaseException], text: str) -> dict[str, object]:
    return {"error": kind.__name__.lstrip("_"), "text": plain(text[:_TRACE_MOST])}


def _progress(text: str, share: float | None) -> None:
    _send({"is": "progress", "text": plain(text), "share": share})


def _listen(flag: int) -> None:
    """Have the kernel signal what arrives during a call, or not."""
    fcntl(_CHANNEL, F_SETFL, flag)


def _send(frame: dict[str, object]) -> None:
    """Send a frame; an oversized one becomes a failure."""
    try:
        data = frames.framed(json.dumps(frame, ensure_ascii=False).encode())
    except frames.OversizedError as error:
        failure = _failure(type(error), "The answer is larger than 1 MiB; give it as a file.")
        _send(failure | {"is": "failed", "id": frame.get("id")})
        return
    while data:
        data = data[os.write(_CHANNEL, data) :]


def _receive() -> dict[str, object] | None:
    """Wait for a frame; None at the end of the stream."""
    receive = partial(os.read, _CHANNEL)
    try:
        head = frames.exactly(frames.HEAD, receive)
        return dict(json.loads(frames.exactly(frames.length(head), receive)))
    except EOFError:
        return None


def _test(folder: str) -> int:
    import unittest  # noqa: PLC0415

    suite = unittest.defaultTestLoader.discover(folder)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    _named = [each[2:].split("=") for each in sys.argv[1:] if "=" in each and each[:2] == "--"]
    _lines.update((name, int(line)) for name, line in _named)
    _main, *_folders = sys.argv[1 + len(_named) :]
    sys.path += _folders
    if "net" in _lines:
        import_module("clawdbot.plugins.net").install(_lines["net"])
    if _main == "--test":
        sys.exit(_test(_folders[0]))
    _Worker().run(_main, _folders[0])
