"""The log: nothing a terminal obeys, nothing a frame holds, one shape for both kinds of logger."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Literal

import aiosqlite
import pytest
import structlog

from bot.logs import configure_logs, plain

CANARY = "canary-8f1c"
Format = Literal["console", "json"]
Log = Callable[[Format, str], io.StringIO]


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def open_log(log_format: Format, level: str = "info") -> io.StringIO:
        stream = io.StringIO()
        configure_logs(log_format, level, stream)
        return stream

    yield open_log
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def fail_holding(secret: str) -> None:
    kept = {"token": secret}
    raise LookupError(f"no {len(kept)}")


def fail_saying(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_2_no_variable_of_any_frame_is_shown(log: Log, log_format: Format) -> None:
    stream = log(log_format, "debug")
    try:
        fail_holding(CANARY)
    except LookupError:
        structlog.get_logger("ours").exception("crashed")
        logging.getLogger("theirs").exception("crashed")
    text = stream.getvalue()
    assert (
        text.count("no 1")
        == text.count(", in fail_holding" if log_format == "console" else '"name": "fail_holding"')
        == 2
    )
    assert CANARY not in text


async def test_LOG_2_the_database_library_never_logs_peoples_words(log: Log) -> None:
    stream = log("console", "debug")
    async with aiosqlite.connect(":memory:") as connection:
        await connection.execute("SELECT ?", (CANARY,))
    assert CANARY not in stream.getvalue()


HOSTILE = "a\x1b[2J\x9b31mb\r\nforged\u2028line\u202e\x00\x07\x7f\tend"


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_5_user_text_stays_on_its_line_and_moves_no_cursor(log: Log, log_format: Format) -> None:
    stream = log(log_format, "info")
    structlog.get_logger().info(f"said {HOSTILE}", note=HOSTILE, more={"notes": [HOSTILE]})
    logging.getLogger("theirs").warning("said %s", HOSTILE)
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert not set(text) & set("\x1b\x9b\r\u2028\u202e\x00\x07\x7f\t")
    assert text.count("forged line") >= 2


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_5_an_errors_text_cannot_pass_for_a_log_line(log: Log, log_format: Format) -> None:
    stream = log(log_format, "info")
    try:
        fail_saying(HOSTILE)
    except ValueError:
        structlog.get_logger().exception("crashed")
    assert not set(stream.getvalue()) & set("\x1b\x9b\r\u2028\u202e\x00\x07\x7f")
    assert not any(line.startswith("forged") for line in stream.getvalue().splitlines())


def test_json_lines_carry_the_same_fields_from_both_kinds_of_logger(log: Log) -> None:
    stream = log("json", "info")
    structlog.get_logger("ours").info("a mark", number=12)
    logging.getLogger("theirs").warning("a %s", "warning")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["number"], ours["level"], ours["logger"]) == ("a mark", 12, "info", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("a warning", "warning", "theirs")
    assert ours["timestamp"].endswith("Z")


def test_the_level_holds_for_both_kinds_of_logger(log: Log) -> None:
    stream = log("console", "warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("theirs").info("quiet")
    structlog.get_logger().warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_other_scripts_stay_as_they_are() -> None:
    assert plain("最高 🎉 مرحبا") == "最高 🎉 مرحبا"
