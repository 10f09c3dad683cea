"""The life of a message can be walked: every station stands in its file, under its name."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Function, Module


@dataclass(frozen=True)
class Station:
    """A function or method; `takes` are its first parameters, each by name or by type."""

    place: str
    name: str
    takes: tuple[str, ...] = ()
    gives: str = ""

    def __str__(self) -> str:
        """Name the station."""
        return f"{self.place}: {self.name}"


STATIONS = [
    Station("channels/telegram/channel.py", "verify", ("HttpRequest",)),
    Station("channels/telegram/channel.py", "decode", ("HttpRequest",)),
    Station("channels/telegram/channel.py", "run", ("inbox",)),
    Station("channels/telegram/wire.py", "parse", ("update",), "Inbound"),
    Station("gateway/inbox.py", "accept", ("Inbound",), "Receipt"),
    Station("conversation/lane.py", "submit", ("turn",)),
    Station("conversation/turn.py", "run", ("turn",)),
    Station("agent/loop.py", "step", ("State",), "AsyncIterator[Event]"),
    Station("models/router.py", "complete", ("Request",), "AsyncIterator[Delta]"),
    Station("domain/policy.py", "decide", ("context", "call"), "Allow | Ask | Deny"),
    Station("tools/registry.py", "call"),
    Station("conversation/turn.py", "commit", ("turn",)),
    Station("gateway/outbox.py", "drain"),
    Station("channels/telegram/wire.py", "render"),
    Station("channels/telegram/channel.py", "send", ("to", "message", "key")),
]


@pytest.mark.parametrize("station", STATIONS, ids=str)
def test_the_station_stands_in_its_place(station: Station) -> None:
    assert "" == missing(ROOT, station)


def missing(root: Path, station: Station) -> str:
    """Say what is wrong with a station, or nothing."""
    module = Module(station.place, root / "src" / "clawdbot" / station.place)
    if not module.path.exists():
        return "no such file"
    named = [f for name, f in module.functions if name.split(".")[-1] == station.name]
    if not named:
        return "no such function"
    faults = [_fault(function, station, module) for function in named]
    return "" if "" in faults else faults[0]


def _fault(function: Function, station: Station, module: Module) -> str:
    arguments = [a for a in function.args.args if a.arg not in {"self", "cls"}]
    for wanted, argument in zip(station.takes, arguments, strict=False):
        kind = ast.unparse(argument.annotation) if argument.annotation else ""
        if wanted != argument.arg and wanted not in kind:
            return f"takes {argument.arg}: {kind}, not {wanted}"
    if len(arguments) < len(station.takes):
        return f"takes {len(arguments)} parameters, not {len(station.takes)}"
    gives = _resolved(function.returns, module) if function.returns else ""
    return "" if station.gives in gives else f"gives {gives}, not {station.gives}"


def _resolved(annotation: ast.expr, module: Module) -> str:
    """Write an annotation out, an alias of the same file followed once."""
    name = ast.unparse(annotation)
    for node in module.syntax.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=alias)], value=value) if alias == name:
                return ast.unparse(value)
            case ast.AnnAssign(target=ast.Name(id=alias), value=ast.expr() as value):
                if alias == name:
                    return ast.unparse(value)
    return name


_ACCEPT = Station("gateway/inbox.py", "accept", ("Inbound",), "Receipt")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("class A:\n    async def accept(self, inbound: Inbound) -> Receipt: ...", ""),
        ("R = Receipt | None\ndef accept(i: Inbound, *, clock: Clock) -> R: ...", ""),
        ("def take(inbound: Inbound) -> Receipt: ...", "no such function"),
        ("def accept(raw: bytes) -> Receipt: ...", "takes raw: bytes, not Inbound"),
        ("def accept() -> Receipt: ...", "takes 0 parameters, not 1"),
        ("def accept(inbound: Inbound) -> None: ...", "gives None, not Receipt"),
    ],
)
def test_a_station_is_known_by_its_signature(text: str, fault: str, plant: Plant) -> None:
    assert fault == missing(plant("src/clawdbot/gateway/inbox.py", text), _ACCEPT)


def test_a_station_without_its_file_is_missing(tmp_path: Path) -> None:
    assert "no such file" == missing(tmp_path, _ACCEPT)
