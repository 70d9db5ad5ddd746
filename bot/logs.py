"""One log for everything, structlog's and the standard library's: to standard error, for people or for machines."""

import logging
import os
import sys
import textwrap
import traceback
import unicodedata
from collections.abc import Iterable
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

_QUIET = {
    "aiohttp.access": logging.CRITICAL,  # the site writes its own, without queries (LOG-4)
    "aiosqlite": logging.WARNING,  # at debug it writes every statement with people's words
    "asyncio": logging.WARNING,
    "discord": logging.CRITICAL,  # at debug it writes its token, at error Discord's texts; bot/discord speaks instead
    "twitchio": logging.CRITICAL,  # its texts hold URLs (LOG-3); bot/twitch says in its own words what went wrong
}

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNPRINTED = str.maketrans(
    {chr(code): "" for code in range(0x2030) if unicodedata.category(chr(code)) in {"Cc", "Zl", "Zp"}}
    | dict.fromkeys(_BIDI, "")
    | dict.fromkeys("\n\r\t\u2028\u2029", " ")
)


def plain(text: str) -> str:
    """The text on one line, without anything a terminal would obey: control characters, direction overrides."""
    return text.translate(_UNPRINTED)


def configure_logs(log_format: Literal["console", "json"], log_level: str, stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (standard error), at `log_level` and above."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[log_level.upper()]
    for_people = log_format == "console"
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(*(("%Y-%m-%d %H:%M:%S", False) if for_people else ("iso", True))),
        _plain_fields,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_people(stream) if for_people else _for_machines()),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name, at_least in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, at_least))


def _for_people(stream: TextIO) -> Iterable[Processor]:
    colours = stream.isatty() and not os.environ.get("NO_COLOR")
    # The default formatter would show every frame's variables, secrets among them (LOG-2).
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_indented_traceback)]


def _for_machines() -> Iterable[Processor]:
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, use_rich=False)
    return [structlog.processors.ExceptionRenderer(transformer), structlog.processors.JSONRenderer()]


def _indented_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    # Indented, so that no line of an error's text passes for a log line.
    lines = "".join(traceback.format_exception(*exc_info)).splitlines()
    out.write("\n" + textwrap.indent("\n".join(map(_plain_indented, lines)), "  "))


def _plain_indented(line: str) -> str:
    code = line.lstrip(" ")
    return line[: len(line) - len(code)] + plain(code)


def _plain_fields(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    return {name: _plain_value(value) if name[0] != "_" else value for name, value in fields.items()}


def _plain_value(value: object) -> object:
    match value:
        case str():
            return plain(value)
        case dict():
            return {key: _plain_value(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain_value(inner) for inner in value]
    return value
