"""The benches' own honesty: figures, verdicts, and probes that count what a stall held up."""

import asyncio
import re
import time

import pytest

from bench.load import closed_loop, for_seconds, open_loop
from bench.probes import loop_lag, probe_page
from bench.report import Row, percentile, show

STALL = 0.2


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_percentiles_are_samples_never_interpolated(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("faster", 16, "marks/s", baseline=2, at_least=8), True),
        (Row("slower", 15, "marks/s", baseline=2, at_least=8), False),
        (Row("no baseline", 49, "marks", at_least=50), False),
        (Row("memory", 15, "MiB", at_most=15), True),
        (Row("only told", 3), True),
    ],
)
def test_a_target_holds_for_the_ratio_or_else_for_the_figure(row: Row, met: bool) -> None:
    assert row.met is met


def test_the_table_is_aligned_and_tells_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Row("answered marks", 41_320.4, "/s", 2389, at_least=8, against="locked"),
        Row("growth", 22, "MiB", at_most=15),
    ]
    assert not show("Ingest", rows)
    title, _machine, _, headings, rule, first, second = capsys.readouterr().out.splitlines()
    assert title == "Ingest"
    assert headings.split() == ["what", "figure", "baseline", "ratio", "target", "verdict"]
    assert rule.index("  ") == len("answered marks")
    assert re.split(" {2,}", first) == ["answered marks", "41,320 /s", "2,389 /s locked", "17.3 ×", "≥ 8", "ok"]
    assert second.endswith("≤ 15    MISSED")


async def test_a_closed_loop_keeps_everybody_in_flight() -> None:
    flying, most = 0, 0

    async def call(_person: int, _number: int) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1

    run = await closed_loop(call, 50, range(400))
    assert (most, len(run.answers)) == (50, 400)
    assert run.rate > 0


def test_for_seconds_ends() -> None:
    assert list(for_seconds(0)) == []
    assert next(for_seconds(60)) == 0


async def test_an_open_loop_counts_the_wait_of_calls_that_were_due_during_a_stall() -> None:
    async def call(_person: int, number: int) -> None:
        if number == 0:
            time.sleep(STALL)  # noqa: ASYNC251  (the stall is the subject)

    run = await open_loop(call, people=5, calls=200, rate=1000)
    assert len(run.answers) == 200
    assert percentile(run.answers, 50) > STALL / 4


async def test_loop_lag_counts_every_sample_a_stall_held_up() -> None:
    async with loop_lag(interval=0.01) as lateness:
        await asyncio.sleep(0.02)
        time.sleep(STALL)  # noqa: ASYNC251  (the stall is the subject)
        await asyncio.sleep(0.02)
    assert sum(late > STALL / 2 for late in lateness) >= 8


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: str, stalls: list[float]) -> None:
    """Answer every request on a connection; the first one anywhere stalls the whole server."""
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        if stalls:
            time.sleep(stalls.pop())  # noqa: ASYNC251  (the stall is the subject)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
    writer.close()


async def test_the_page_probe_counts_every_request_a_stall_held_up() -> None:
    stalls = [STALL]
    server = await asyncio.start_server(lambda r, w: serve(r, w, "200 OK", stalls), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        samples = await probe_page(f"http://127.0.0.1:{port}/healthz", rate=200, count=100)
    assert len(samples) == 100
    assert sum(taken > STALL / 2 for taken in samples) >= 15


async def test_the_page_probe_refuses_other_answers(capfd: pytest.CaptureFixture[str]) -> None:
    server = await asyncio.start_server(lambda r, w: serve(r, w, "429 Too Many Requests", []), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RuntimeError, match="probe"):
            await probe_page(f"http://127.0.0.1:{port}/", rate=200, count=20)
    assert "429" in capfd.readouterr().err
