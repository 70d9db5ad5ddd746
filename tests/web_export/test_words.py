"""How pages word lengths, counts and sessions without a title."""

from datetime import UTC, datetime, timedelta

import pytest

from moments.sessions import Channel, Segment, Session, Status
from storage import Totals
from web_export import words
from web_export.views import channel_url, head, session_url

NOW = datetime(2026, 8, 23, 20, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 day"),
        (200_000, "2 days"),
    ],
)
def test_a_break_is_worded_short(seconds: int, said: str) -> None:
    assert words.length(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0"), (999, "999"), (1000, "1.0k"), (5_149, "5.1k"), (9_999, "9.9k"), (12_345, "12k")]
)
def test_a_count_fits_into_a_ring(number: int, said: str) -> None:
    assert words.compact(number) == said


def test_a_session_without_a_title_is_called_by_its_channel_and_day() -> None:
    channel = Channel(1, "console", "a/b?c", "riverdeer")
    start = NOW - timedelta(seconds=90)
    session = Session(1, "x y", channel, "", "", Status.ACTIVE, start, start, (Segment(1, start),))
    described = head(session, Totals(1, 1), NOW)
    assert (described.title, described.platform, described.running) == ("riverdeer, 23 Aug 2026", "", "00:01:30")
    assert (session_url(session), channel_url(channel)) == ("/s/x%20y", "/c/console/a%2Fb%3Fc")
