"""Where log events go: JSON lines in `logs/clawdbot.log`, plain lines on a console.

Every event passes `lines.cleaned`, whoever logged it; a log that cannot be written stops nothing.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from clawdbot.domain.settings import Logs
from clawdbot.ops.lines import FILE, Redactor, cleaned, human

_FRAMES_MOST = 20
_BEFORE: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    structlog.processors.ExceptionRenderer(lambda info: _trace(info[1])),
]


@contextmanager
def logging_to(
    home: Path,
    settings: Logs,
    redact: Redactor,
    *,
    console: TextIO | None = None,
    colour: bool = False,
) -> Iterator[None]:
    """Log to the home folder, and to a console where given, until the block ends.

    Whatever is bound with `structlog.contextvars` (the turn) stands in every event below it.
    """
    path = home / FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        _File(path, maxBytes=settings.file_mb * 1_000_000, backupCount=settings.files)
    ]
    handlers[0].setFormatter(_formatter(redact, json=True))
    if console:
        handlers.append(_Console(console))
        handlers[1].setFormatter(_formatter(redact, colour=colour))
    _configure()
    root = logging.getLogger()
    level = root.level
    root.setLevel(settings.level.upper())
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            with suppress(OSError):
                handler.close()


def _trace(error: BaseException) -> list[str]:
    """Give the lines of a traceback; values of variables are none of them."""
    return "".join(traceback.format_exception(error, limit=-_FRAMES_MOST)).splitlines()


def _configure() -> None:
    """Send structlog's events through the standard library, where everybody else's already are."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_BEFORE,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _formatter(redact: Redactor, *, json: bool = False, colour: bool = False) -> ProcessorFormatter:
    def render(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
        first = {key: event.pop(key, "") for key in ("at", "level", "event")}
        line = {key: cleaned(value, redact) for key, value in [*first.items(), *event.items()]}
        return msgspec.json.encode(line).decode() if json else human(line, colour=colour)

    return ProcessorFormatter(
        foreign_pre_chain=_BEFORE,
        processors=[ProcessorFormatter.remove_processors_meta, render],
    )


class _Quiet(logging.Handler):
    """Where an event cannot be written it is dropped: logging itself would print it unmasked."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


class _Console(_Quiet, logging.StreamHandler[TextIO]):
    """Lines for people."""


class _File(_Quiet, RotatingFileHandler):
    """A file for its owner alone, replaced by a new one when it is full."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).touch(0o600)
        return super()._open()
