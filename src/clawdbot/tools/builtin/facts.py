"""Harmless facts: the time, and how the host fares. Reading only, no process is started."""

import os
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.text import say
from clawdbot.tools.registry import Grant, Tool

_GIB = 1 << 30


async def now(
    grant: Grant,
    timezone: Annotated[str, Meta(description="IANA name; empty for the user's")] = "",
) -> str:
    """Tell date and time."""
    name = timezone or grant.timezone
    try:
        zone = ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"There is no time zone {name!r}."
        raise ToolFailed(message) from error
    local = datetime.fromtimestamp(grant.now, zone)
    return local.strftime("%Y-%m-%d %H:%M:%S %Z")


async def disk(grant: Grant) -> str:
    """Tell how full the disk is."""
    used = shutil.disk_usage("/")
    return say(
        grant.language,
        "{free} GiB free of {total} GiB (used: {percent} %)",
        free=f"{used.free / _GIB:.1f}",
        total=f"{used.total / _GIB:.1f}",
        percent=round(100 * used.used / used.total),
    )


async def host(grant: Grant) -> str:
    """Tell system, cores, memory, load and uptime."""
    memory = _meminfo()
    load = os.getloadavg()[0]
    return say(
        grant.language,
        "{system}, {cores} cores, load {load}, memory {free} of {total} GiB free, up {days} days",
        system=f"{platform.system()} {platform.release()}",
        cores=os.cpu_count(),
        load=f"{load:.2f}",
        free=f"{memory.get('MemAvailable', 0) / _GIB:.1f}",
        total=f"{memory.get('MemTotal', 0) / _GIB:.1f}",
        days=f"{_uptime_s() / 86400:.1f}",
    )


def _meminfo() -> dict[str, int]:
    """Read sizes in bytes from /proc (proc(5)); empty where there is none."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            pairs = (line.split(":") for line in file)
            return {name: int(value.split()[0]) * 1024 for name, value in pairs}
    except OSError:
        return {}


def _uptime_s() -> float:
    try:
        with Path("/proc/uptime").open(encoding="ascii") as file:
            return float(file.read().split()[0])
    except OSError:
        return 0.0


TOOLS = (
    Tool(
        manifest=Manifest(name="time_now", effect=Effect.READ, public=True),
        description="Current date and time, here or in another time zone",
        read=now,
    ),
    Tool(
        manifest=Manifest(name="disk_usage", effect=Effect.READ, fact=True),
        description="How full this machine's disk is",
        read=disk,
    ),
    Tool(
        manifest=Manifest(name="host_facts", effect=Effect.READ, fact=True),
        description="This machine's system, cores, memory, load, uptime",
        read=host,
    ),
)
