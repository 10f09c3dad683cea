"""The table: what was measured, beside the floor, the goals and the best peer of PEERS.md."""

import math
import statistics
from dataclasses import dataclass, field
from typing import Self

_HEAD = ("", "floor", "clawdbot", "goal", "ratio", "goal", "best peer")


@dataclass(kw_only=True)
class Load:
    """Turns of one kind: the seconds of each, those they took together, each block's CPU a turn."""

    turns: list[float] = field(default_factory=list)
    whole_s: float = 0.0
    cpu_s: list[float] = field(default_factory=list)

    def add(self, turns: list[float], whole_s: float, cpu_s: float) -> None:
        """Add a block."""
        self.turns += turns
        self.whole_s += whole_s
        self.cpu_s.append(cpu_s / len(turns))

    @property
    def cpu_ms(self) -> float:
        """Tell the processor time of a turn, in the middle of the blocks."""
        return statistics.median(self.cpu_s) * 1000


@dataclass(kw_only=True)
class Figures:
    """What was measured of one system."""

    starts: list[float] = field(default_factory=list)
    start_cpu: list[float] = field(default_factory=list)
    one: Load = field(default_factory=Load)
    many: Load = field(default_factory=Load)
    dawdled: Load = field(default_factory=Load)
    idle_mib: float = 0.0
    idle_share: float = 0.0
    worked_mib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line; goals are not to be exceeded or, if `least`, to be reached; None is no goal."""

    name: str
    unit: str
    ours: float
    floor: float | None = None
    goal: float | None = None
    multiple: float | None = None
    least: bool = False
    peer: str = ""

    @classmethod
    def against(cls, name: str, small: float, full: float) -> Self:
        """Make the line of a full store against a small one."""
        return cls(name=name, unit="ms", floor=small, ours=full, multiple=1.2)

    def cells(self) -> tuple[str, ...]:
        """Write the line's cells."""
        ratio = self.ours / self.floor if self.floor else None
        return (
            self.name,
            self._figure(self.floor),
            self._marked(self.ours, self.goal, self._figure(self.ours)),
            self._goal(self.goal, self.unit),
            self._marked(ratio, self.multiple, "" if ratio is None else f"{ratio:.2f}"),
            self._goal(self.multiple, "x"),
            self.peer,
        )

    def _figure(self, value: float | None) -> str:
        if value is None:
            return ""
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
        return f"{value:.{digits}f} {self.unit}".strip()

    def _goal(self, goal: float | None, unit: str) -> str:
        return "" if goal is None else f"{'>=' if self.least else '<='} {goal:.3g} {unit}".strip()

    def _marked(self, value: float | None, goal: float | None, cell: str) -> str:
        if value is None or goal is None:
            return cell
        missed = value < goal if self.least else value > goal
        return f"**{cell}** (missed)" if missed else cell


def speed(floor: Figures, ours: Figures, crowd: int) -> list[Row]:
    """Give the lines about time."""
    many = f"{crowd} conversations"
    return [
        Row(
            name="process start to first answer",
            unit="s",
            floor=statistics.median(floor.starts),
            ours=statistics.median(ours.starts),
            goal=0.9,
            multiple=1.7,
            peer="6.6 s",
        ),
        Row(
            name="CPU to first answer",
            unit="s",
            floor=statistics.median(floor.start_cpu),
            ours=statistics.median(ours.start_cpu),
            peer="6.1 s",
        ),
        Row(
            name="turn p50, one conversation",
            unit="ms",
            floor=milliseconds(floor.one.turns),
            ours=milliseconds(ours.one.turns),
            goal=70,
            multiple=1.1,
            peer="182 ms",
        ),
        Row(
            name="turn p99, one conversation",
            unit="ms",
            floor=milliseconds(floor.one.turns, 0.99),
            ours=milliseconds(ours.one.turns, 0.99),
            goal=150,
            peer="262 ms",
        ),
        Row(
            name=f"turns/s, {many}",
            unit="",
            floor=len(floor.many.turns) / floor.many.whole_s,
            ours=len(ours.many.turns) / ours.many.whole_s,
            goal=80,
            multiple=1 / 1.5,
            least=True,
            peer="14",
        ),
        Row(
            name=f"turn p50, {many}",
            unit="ms",
            floor=milliseconds(floor.many.turns),
            ours=milliseconds(ours.many.turns),
        ),
        Row(
            name="CPU per turn, one conversation",
            unit="ms",
            floor=floor.one.cpu_ms,
            ours=ours.one.cpu_ms,
            goal=10,
            multiple=1.8,
            peer="111 ms",
        ),
        Row(
            name=f"CPU per turn, {many}",
            unit="ms",
            floor=floor.many.cpu_ms,
            ours=ours.many.cpu_ms,
            goal=7,
            multiple=2.2,
            peer="69 ms",
        ),
        Row(
            name="CPU per turn, one conversation, 5 ms between tokens",
            unit="ms",
            floor=floor.dawdled.cpu_ms,
            ours=ours.dawdled.cpu_ms,
        ),
    ]


def weight(floor: Figures, ours: Figures) -> list[Row]:
    """Give the lines about rest."""
    return [
        Row(
            name="memory at rest (PSS)",
            unit="MiB",
            floor=floor.idle_mib,
            ours=ours.idle_mib,
            goal=60,
            multiple=1.7,
            peer="142 MiB",
        ),
        Row(
            name="memory after the work (PSS)",
            unit="MiB",
            floor=floor.worked_mib,
            ours=ours.worked_mib,
        ),
        Row(
            name="CPU at rest",
            unit="%",
            floor=floor.idle_share * 100,
            ours=ours.idle_share * 100,
            goal=0.1,
            peer="0.1 %",
        ),
    ]


def markdown(rows: list[Row]) -> str:
    """Write the table, its columns aligned."""
    lines = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    head, *body = (f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)
    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([head, rule, *body])


def milliseconds(seconds: list[float], part: float = 0.5) -> float:
    """Tell what so great a part of the times stays within."""
    return sorted(seconds)[math.ceil(len(seconds) * part) - 1] * 1000
