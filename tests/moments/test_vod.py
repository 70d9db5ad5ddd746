"""Where marks fall in the archives of a stream: by hand, and for every session and archive there could be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.sessions import Channel, Segment, Session, Status
from moments.vod import NO_VODS, SLACK_SECONDS, Archive, VodPlace, growing, vod_url, vods_of

BEGAN = datetime(2026, 8, 23, 20, 0, 0, 250_000, tzinfo=UTC)
HOUR = 3600


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def session(*stretches: tuple[float, float | None, str | None], shift: int = 0) -> Session:
    """A session whose segments begin and end so many seconds after BEGAN, each of a stream."""
    segments = tuple(
        Segment(index, after(start), None if end is None else after(end), stream)
        for index, (start, end, stream) in enumerate(stretches, 1)
    )
    status = Status.ENDED if segments[-1].end_time else Status.ACTIVE
    channel = Channel(1, "twitch", "100", "riverdeer")
    return Session(1, "k7m2q9xw", channel, "", "", status, BEGAN, BEGAN, segments, shift)


def archive(video: str = "9000", begins: float = 0, lasts: int = 4 * HOUR, stream: str | None = "s1") -> Archive:
    return Archive(video, stream, "A long evening", after(begins), lasts)


EVENING = session((0, 3 * HOUR, "s1"))


@pytest.mark.parametrize(
    ("seconds", "url"),
    [
        (0, "https://www.twitch.tv/videos/9000?t=0h0m0s"),
        (59, "https://www.twitch.tv/videos/9000?t=0h0m59s"),
        (3723, "https://www.twitch.tv/videos/9000?t=1h2m3s"),
        (48 * HOUR, "https://www.twitch.tv/videos/9000?t=48h0m0s"),
    ],
)
def test_a_link_says_hours_minutes_and_seconds(seconds: int, url: str) -> None:
    assert vod_url("9000", seconds) == url
    assert VodPlace("9000", seconds).url == url


def test_a_link_stays_one_whatever_the_video_is_called() -> None:
    assert vod_url("9/../x?y#z", 1) == "https://www.twitch.tv/videos/9%2F..%2Fx%3Fy%23z?t=0h0m1s"


@pytest.mark.parametrize(
    ("offset", "begins", "lead", "shift", "seconds"),
    [
        (100, 0, 0, 0, 100),
        (100, 0, 20, 0, 80),
        (10, 0, 20, 0, 0),
        (100, -60, 20, 0, 140),
        (100, 60, 20, 0, 20),
        (100, 0, 20, 30, 110),
        (100, 0, 20, -30, 50),
        (100, 0, 20, -200, 0),
        (100, 0, 0, 4 * HOUR, 4 * HOUR),
        (100, 0.9, 0, 0, 99),  # the difference is floored, not its ends
        (100, -0.9, 0, 0, 100),
    ],
)
def test_a_mark_falls_where_the_clocks_say(offset: int, begins: float, lead: int, shift: int, seconds: int) -> None:
    evening = replace(EVENING, vod_shift_seconds=shift)
    assert vods_of(evening, [archive(begins=begins)], lead).place(1, offset) == VodPlace("9000", seconds)


def test_without_an_archive_there_is_no_link() -> None:
    assert not NO_VODS
    assert not vods_of(EVENING, [], 20)
    assert not vods_of(EVENING, [archive(begins=-90 * HOUR)], 20)
    assert not vods_of(EVENING, [archive(begins=90 * HOUR)], 20)
    assert vods_of(EVENING, [archive()], 20)
    assert vods_of(EVENING, [archive()], 20).place(2, 5) is None


def test_a_trimmed_archive_links_only_what_it_still_holds() -> None:
    vods = vods_of(EVENING, [archive(begins=1000, lasts=500)], 20)
    assert vods.place(1, 900) is None
    assert vods.place(1, 1000 - SLACK_SECONDS - 1) is None
    assert vods.place(1, 1000 - SLACK_SECONDS) == VodPlace("9000", 0)
    assert vods.place(1, 1200) == VodPlace("9000", 180)
    assert vods.place(1, 1499 + SLACK_SECONDS) == VodPlace("9000", 500 - 20 + SLACK_SECONDS - 1)
    assert vods.place(1, 1500 + SLACK_SECONDS) is None


def test_a_stream_that_was_split_takes_each_mark_into_its_own_part() -> None:
    parts = [archive("1", 0, 48 * HOUR, "s1"), archive("2", 48 * HOUR, 2 * HOUR, "s2")]
    vods = vods_of(session((0, 50 * HOUR, "s1")), parts, 0)
    assert vods.place(1, 48 * HOUR - 1) == VodPlace("1", 48 * HOUR - 1)
    assert vods.place(1, 48 * HOUR) == VodPlace("2", 0)  # also where the first would still do, with some slack
    assert vods.place(1, 49 * HOUR) == VodPlace("2", HOUR)


def test_of_two_archives_at_once_the_stream_of_the_segment_decides() -> None:
    both = [archive("1", 0, HOUR, "s1"), archive("2", 60, HOUR, "s2")]
    for stream, video in (("s1", "1"), ("s2", "2"), (None, "2")):
        place = vods_of(session((0, HOUR, stream)), both, 0).place(1, 600)
        assert place
        assert place.video_id == video


def test_every_segment_is_seen_from_its_own_beginning() -> None:
    vods = vods_of(session((0, 600, "s1"), (1800, 2400, "s1")), [archive()], 0)
    assert vods.place(1, 10) == VodPlace("9000", 10)
    assert vods.place(2, 10) == VodPlace("9000", 1810)


def test_a_mark_that_was_moved_past_its_segments_end_is_found_too() -> None:
    vods = vods_of(session((0, 600, "s1")), [archive("1", 0, 600), archive("2", 700, 600, "s2")], 0)
    assert vods.place(1, 800) == VodPlace("2", 100)


@pytest.mark.parametrize(
    ("offset", "muted"), [(99, False), (100, True), (279, True), (280, True), (299, True), (300, False)]
)
def test_a_link_tells_when_sound_is_missing_before_or_at_its_moment(offset: int, muted: bool) -> None:
    silent = replace(archive(), muted=((100, 180),))
    place = vods_of(EVENING, [silent], 20).place(1, offset)
    assert place
    assert place.muted is muted


def test_a_running_stream_covers_what_has_been_told_since() -> None:
    live = session((0, None, "s1"))
    told = archive(lasts=HOUR)
    (grown,) = growing([told], live, told_at=after(HOUR + 300))
    assert vods_of(live, [grown], 20).place(1, 2 * HOUR) == VodPlace("9000", 2 * HOUR - 20)
    assert vods_of(live, [told], 20).place(1, 2 * HOUR) is None


@pytest.mark.parametrize(
    ("stretch", "stream", "told_at", "grows"),
    [
        ((0, None, "s1"), "s1", HOUR + 60, True),
        ((0, None, "s1"), "s1", 9 * HOUR, True),  # Twitch is slow to tell, but it is this very stream
        ((0, None, None), None, HOUR + 60, True),
        ((0, None, None), None, 9 * HOUR, False),  # yesterday's
        ((0, None, "s2"), "s1", 9 * HOUR, False),
        ((0, None, "s1"), "s2", HOUR + 60, True),  # the second part of a stream that was split
        ((0, 2 * HOUR, "s1"), "s1", HOUR + 60, False),
    ],
)
def test_only_the_archive_of_a_stream_that_runs_grows(
    stretch: tuple[float, float | None, str | None], stream: str | None, told_at: float, grows: bool
) -> None:
    earlier, newest = archive("1", -9 * HOUR, HOUR), archive("2", 0, HOUR, stream)
    of_now = growing([earlier, newest], session(stretch), after(told_at))
    assert [one.growing for one in of_now] == [False, grows]
    assert growing([], session(stretch), after(told_at)) == ()


@pytest.mark.parametrize("end", [None, HOUR + 500])
def test_the_archive_of_the_stream_before_does_not_grow_into_the_next(end: float | None) -> None:
    """Until the second stream's archive is listed, its marks have no link; those of the first keep theirs."""
    told = session((0, HOUR, "s1"), (HOUR + 120, end, "s2"))
    if end is not None:
        told = replace(told, status=Status.PAUSED)
    first = archive("1", 0, HOUR, "s1")
    vods = vods_of(told, growing([first], told, after(HOUR + 180)), 0)
    assert vods.place(1, 600) == VodPlace("1", 600)
    assert [vods.place(2, offset) for offset in (0, 60, 400)] == [None, None, None]
    second = archive("2", HOUR + 120, 30, "s2")
    assert vods_of(told, growing([first, second], told, after(HOUR + 180)), 0).place(2, 60) == VodPlace("2", 60)


def test_vods_read_the_same_while_only_the_length_of_a_running_archive_changes() -> None:
    live = session((0, None, "s1"))
    told = [growing([archive(lasts=lasts)], live, after(lasts)) for lasts in (600, 700)]
    first, second = (vods_of(live, one, 20) for one in told)
    assert repr(first) == repr(second)
    for other in (
        vods_of(live, told[0], 10),
        vods_of(replace(live, vod_shift_seconds=5), told[0], 20),
        vods_of(live, [archive(lasts=600)], 20),
        vods_of(live, [replace(archive(lasts=600), muted=((0, 180),))], 20),
        NO_VODS,
    ):
        assert repr(other) != repr(first)


lengths = st.integers(1, 2 * HOUR)
segments = st.lists(st.tuples(st.integers(0, 300), lengths), min_size=1, max_size=4)
recordings = st.lists(st.tuples(st.integers(0, 300), lengths), max_size=4)


def laid_out(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(begin, end) of stretches given as (break before it, length)."""
    at, found = 0, []
    for gap, length in stretches:
        found.append((at + gap, at + gap + length))
        at += gap + length
    return found


@given(segments, recordings, st.integers(0, 120), st.integers(-7200, 7200), st.data())
def test_links_never_run_backwards_nor_leave_their_archive(
    parts: list[tuple[int, int]], recorded: list[tuple[int, int]], lead: int, shift: int, data: st.DataObject
) -> None:
    told = session(*((start, end, "s1") for start, end in laid_out(parts)), shift=shift)
    archives = [archive(str(video), start, end - start) for video, (start, end) in enumerate(laid_out(recorded))]
    lasts = {one.video_id: one.duration_seconds for one in archives}
    vods, still = vods_of(told, archives, lead), vods_of(replace(told, vod_shift_seconds=0), archives, 0)
    found = []
    for index, (_, length) in enumerate(parts, 1):
        for offset in sorted(data.draw(st.lists(st.integers(0, length), max_size=8))):
            place, plain = vods.place(index, offset), still.place(index, offset)
            assert (place is None) == (plain is None)
            if place and plain:
                end = lasts[place.video_id]
                assert 0 <= place.seconds <= end
                assert place.video_id == plain.video_id
                found.append((int(place.video_id), place.seconds))
    assert all(one <= other for one, other in pairwise(found))


@given(st.integers(0, 3 * HOUR), st.integers(-7200, 7200), st.integers(0, 60), st.integers(-HOUR, HOUR))
def test_a_correction_moves_a_link_by_exactly_its_seconds(offset: int, shift: int, lead: int, more: int) -> None:
    wide = [archive(begins=-6 * HOUR, lasts=12 * HOUR)]
    before, then = (
        vods_of(replace(EVENING, vod_shift_seconds=seconds), wide, lead).place(1, offset)
        for seconds in (shift, shift + more)
    )
    assert before
    assert then
    assert then.seconds - before.seconds == more
