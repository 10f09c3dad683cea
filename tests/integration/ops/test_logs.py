"""The log as it lies on disk: structured, bound to its turn, without secrets, bounded."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import structlog

from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Logs
from clawdbot.ops.lines import FILE, Redactor
from clawdbot.ops.logs import logging_to

CANARY = "canary-5f1e"
URL = f"https://h.test/{CANARY}/x"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with logging_to(tmp_path, Logs(), Redactor([Secret(CANARY)])):
        yield tmp_path


def test_an_event_is_a_json_line_with_its_turn(home: Path) -> None:
    log = structlog.get_logger("clawdbot.test")
    with structlog.contextvars.bound_contextvars(turn="T1"):
        log.info("committed", position=3, who="张")
    log.warning("after")
    first, second = _events(home)
    expected = {"level": "info", "event": "committed", "turn": "T1", "position": 3, "who": "张"}
    assert expected == {key: first[key] for key in expected}
    assert "clawdbot.test" == first["logger"]
    assert "turn" not in second
    assert ["at", "level", "event"] == list(first)[:3]


def test_the_file_is_private(home: Path) -> None:
    assert 0o600 == (home / FILE).stat().st_mode & 0o777
    assert 0o700 == (home / FILE).parent.stat().st_mode & 0o777


def test_nothing_from_outside_breaks_a_line_or_shows_a_secret(home: Path) -> None:
    log = structlog.get_logger()
    log.info('said\n{"event": "forged"}', name="\x1b[2Jx\u202e", key=Secret("other-secret"))
    log.info(URL, deep={"a": [{"b": f"Bearer {CANARY}"}]})
    logging.getLogger("aiohttp").warning("library %s\r\n%s", CANARY, "x")
    text = (home / FILE).read_text()
    assert 3 == len(_events(home)) == text.count("\n")
    for forbidden in (CANARY, "other-secret", "\x1b", "\u202e", '"forged"'):
        assert forbidden not in text
    assert "library ****\\r\\nx" == _events(home)[2]["event"]


def test_an_exception_is_told_without_local_values(home: Path) -> None:
    def fail() -> None:
        local_value = "local-value"
        raise ExceptionGroup(local_value[:5], [ValueError(f"bad {CANARY}")])

    try:
        fail()
    except ExceptionGroup:
        structlog.get_logger().exception("failed")
        logging.getLogger("other").exception("failed too")
    for event in _events(home):
        trace = event["exception"]
        assert any(line.endswith(", in fail") for line in trace)
        assert any(line.endswith("ValueError: bad ****") for line in trace)
    text = (home / FILE).read_text()
    assert CANARY not in text
    assert "local-value" not in text


def test_the_console_reads_like_a_sentence(tmp_path: Path) -> None:
    console = io.StringIO()
    with logging_to(tmp_path, Logs(), Redactor(), console=console):
        structlog.get_logger().warning("channel down\n", kind="telegram")
    assert console.getvalue().endswith(
        "warning  channel down\\n kind=telegram logger=" + __name__ + "\n"
    )
    assert "\x1b" not in console.getvalue()


def test_the_level_is_the_settings(tmp_path: Path) -> None:
    for settings, expected in ((Logs(level="warning"), 1), (Logs(level="debug"), 4)):
        with logging_to(tmp_path, settings, Redactor()):
            structlog.get_logger().info("quiet")
            logging.getLogger("quiet").debug("quiet")
            structlog.get_logger().error("loud")
        assert expected == len(_events(tmp_path))


def test_the_file_is_replaced_when_it_is_full(tmp_path: Path) -> None:
    with logging_to(tmp_path, Logs(file_mb=1, files=2), Redactor()):
        log = structlog.get_logger()
        for _ in range(1500):
            log.info("x" * 3000)
    files = sorted((tmp_path / FILE).parent.iterdir())
    assert ["clawdbot.log", "clawdbot.log.1", "clawdbot.log.2"] == [file.name for file in files]
    assert {True} == {file.stat().st_size <= 1_000_000 for file in files}
    assert {0o600} == {file.stat().st_mode & 0o777 for file in files}


def test_what_cannot_be_written_stops_nothing_and_shows_nothing(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def __str__(self) -> str:
            raise OSError(28, CANARY)

    structlog.get_logger().error("lost", value=Broken())
    structlog.get_logger().error("kept")
    assert ["kept"] == [event["event"] for event in _events(home)]
    assert ("", "") == capfd.readouterr()


def test_a_full_disk_stops_nothing_and_shows_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / FILE).symlink_to("/dev/full")
    with logging_to(tmp_path, Logs(), Redactor()):
        structlog.get_logger().error(CANARY)
    assert ("", "") == capfd.readouterr()


def _events(home: Path) -> list[dict]:
    return [msgspec.json.decode(line) for line in (home / FILE).read_bytes().splitlines()]
