"""No text crashes the recognition of links or ranges, none takes long, and what is accepted is in the table."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moments.errors import BadLink, TimecodeError
from moments.ranges import LONGEST_SECONDS, parse_range
from providers.links import BY_SLUG, SERVICES, Link, deep_link, recognise
from tests.providers.link_forms import FORMS, HOSTILE, SHORT, Y

LINKS = [url for table in FORMS.values() for url in table] + list(SHORT)
HOSTS = {host for service in SERVICES for host in service.hosts}
PIECES = st.sampled_from(
    [
        *(
            "１",
            "१",
            "K",
            "\u200b",
            "\ud800",
            "www.",
            ".com",
            "youtube.com",
            "youtu.be",
            "evil.example",
            Y,
            "1m30s",
            "-1",
        ),
        *"/?#&=:@.;%\\<>[]+ \t\n\x00",
        "//",
        "://",
        "..",
        "%2f",
        "%00",
        "&amp;",
        "http",
        "t=",
        "v=",
        "url=",
        "dest=",
    ]
)


@st.composite
def near_links(draw: st.DrawFn) -> str:
    """A real link with pieces put in, taken out and doubled."""
    text = draw(st.sampled_from(LINKS))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + 8)))
        text = text[:at] + draw(PIECES | st.text(max_size=3)) + text[until:]
    return text


@given(near_links() | st.text() | st.text(PIECES.flatmap(st.sampled_from)))
@example("https://w.soundcloud.com/player/?url=https%3A//[")
@example("https://link.deezer.com/?dest=[")
def test_OUT_3_what_is_accepted_has_a_host_of_the_table(text: str) -> None:
    try:
        found = recognise(text)
    except BadLink:
        return
    assert found.provider in BY_SLUG
    if not text.lower().startswith("spotify:"):
        assert host_of(text) in HOSTS
    if isinstance(found, Link):
        bare = replace(found, start_seconds=None, end_seconds=None)
        assert recognise(deep_link(bare)) == bare
        assert found.start_seconds is None or 0 <= found.start_seconds <= LONGEST_SECONDS
    else:
        assert found.host in HOSTS
        assert found.url.isascii()


def host_of(text: str) -> str:
    """Another reading of a link's host, as the table writes it: by search, not by taking apart."""
    rest = text.removeprefix("<").lower()
    rest = rest[rest.index("://") + 3 :] if rest.startswith(("http://", "https://", "music://")) else rest
    host = rest[: min((rest.find(sign) for sign in "/?#:&" if sign in rest), default=len(rest))].rstrip(".>")
    return host if host in HOSTS else f"*.{host.split('.', 1)[1]}"


RANGE_PIECES = st.sampled_from([*"0123459:-–—→+. ,hmsHMSxoO०²\x00", "to", "->", "..", "1:00", "45", "999999", "\u2212"])


@given(st.text() | st.lists(RANGE_PIECES).map("".join), st.none() | st.integers(0, LONGEST_SECONDS), st.booleans())
def test_TXT_4_any_text_is_a_range_or_refused(text: str, start: int | None, both: bool) -> None:
    end = start + 15 if both and start is not None else None
    try:
        found, rest = parse_range(text, start, end)
    except TimecodeError:
        return
    assert 0 <= found.start_seconds < found.end_seconds <= LONGEST_SECONDS
    assert text.rstrip().endswith(rest)


def seconds(parse: Callable[[str], object], text: str) -> float:
    """The quickest of several runs, since the machine is shared."""
    best = float("inf")
    for _ in range(7):
        began = time.perf_counter()
        with suppress(BadLink, TimecodeError):
            parse(text)
        best = min(best, time.perf_counter() - began)
    return best


LONG = [
    "a",
    "/",
    "&",
    "=",
    "%",
    "%2",
    "%61",
    "?",
    "#",
    ".",
    ":",
    "//",
    "&a=",
    "a=1&",
    "?v=",
    "../",
    "<",
    "&amp;",
    "t=1&",
]
LONG += ["&&t=1m", ".a", "-", "0", "9:", "1m", "1h1m1s", "é"]


@pytest.mark.parametrize("piece", LONG)
@pytest.mark.parametrize(
    "before",
    [
        "",
        "https://youtu.be/",
        "https://",
        f"https://youtu.be/{Y}?",
        f"https://youtu.be/{Y}#t=",
        "https://soundcloud.com/",
        "https://w.soundcloud.com/player/?url=",
        "https://link.deezer.com/?dest=",
        "spotify:",
    ],
)
def test_TXT_6_no_link_takes_longer_than_its_length_explains(before: str, piece: str) -> None:
    plain = seconds(recognise, f"https://youtu.be/{Y}?" + "a=1&" * 490)
    attack = (before + piece * 2000)[:2000]
    assert seconds(recognise, attack) < 0.005 + 10 * plain
    assert seconds(recognise, before + piece * 200_000) < 0.005  # longer ones are not even looked at


RANGE_ATTACKS = [
    "0",
    "1:",
    "1h",
    "1m",
    "45-",
    "0:45 ",
    "-",
    "+",
    ".",
    " ",
    "1.",
    "to",
    "t",
    "\u3000",
    "१",
    "0:45-",
    "1s1m",
]


@pytest.mark.parametrize("piece", RANGE_ATTACKS)
@pytest.mark.parametrize("before", ["", "0:45", "0:45-", "0:45 -", "45s to 1m", "1:02:03+"])
def test_TXT_6_no_range_takes_long(before: str, piece: str) -> None:
    for end in ("", "x", "-", "!"):
        attack = before + piece * 2000 + end
        assert seconds(parse_range, attack) < 0.005
        assert seconds(lambda text: parse_range(text, 45, 60), attack) < 0.005


def test_the_hostile_table_holds_no_link_twice() -> None:
    assert len(HOSTILE) == len(set(HOSTILE))
