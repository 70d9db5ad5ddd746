"""The session's states, said in chat; and the rules under any order of commands by anybody."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage import own
from tests.chat import ROOM, Chat, open_chat


async def test_an_evening_in_two_parts(chat: Chat) -> None:
    started = await chat.says("<~nightowl> !start Any% | Hollow Deep")
    session = await chat.store.newest_session(*ROOM[:2])
    assert session is not None
    page = f"http://localhost:8080/s/{session.id}"
    assert started == f'Started "Any%". Viewers mark with !clip; see {page}'
    chat.passes(725)
    assert await chat.says("<@sable> !pause") == "Paused at 00:12:05."
    chat.passes(60)
    assert await chat.says("<@sable> !pause") == "Already paused at 00:12:05."
    assert await chat.says("<@sable> !resume") == "Resumed: segment 2."
    assert await chat.says("<@sable> !resume") == "Already running: segment 2."
    chat.passes(10)
    await chat.says("<rook> !clip")
    assert await chat.says("<rook> !session") == (
        'Running: "Any%" · Hollow Deep · segment 2 at 00:00:10 · 00:12:15 in all · 1 mark by 1 person'
    )
    assert await chat.says("<~nightowl> !end") == f"Ended after 00:12:15: 1 mark by 1 person. {page}"
    chat.passes(300)
    assert await chat.says("<~nightowl> !end") == "Already ended, 5 minutes ago."
    assert await chat.says("<rook> !session") == (
        'Ended: "Any%" · Hollow Deep · segment 2 at 00:00:10 · 00:12:15 in all · 1 mark by 1 person'
    )


async def test_AZ_6_in_a_private_channel_viewers_are_told_whether_it_runs_and_no_more(live: Chat) -> None:
    await live.says("<~nightowl> !setup visibility private")
    said = []
    for act in ("!pause", "!resume", "!end"):
        live.passes(20)
        await live.says("<rook> !clip wow")
        said.append(await live.says("<rook> !session"))
        assert 'Any% attempts" · Hollow Deep' in await live.says("<@sable> !session")
        await live.says(f"<@sable> {act}")
    said.append(await live.says("<rook> !session"))
    states = ("Running, 00:00:20", "Paused, 00:00:20", "Running, 00:00:40", "Ended, 00:00:40")
    private = "This channel's pages are private; its moderators log in."
    assert said == [f"{state} in all. {private}" for state in (states[0], *states[1:])]


async def test_start_while_one_runs_says_what_to_type(live: Chat) -> None:
    live.passes(3 * 86_400)
    assert await live.says("<~nightowl> !start") == '"Any% attempts" started 3 days ago. Type end, then start.'


async def test_resume_after_the_end_is_said_and_not_done(live: Chat) -> None:
    await live.says("<~nightowl> !end")
    live.passes(120)
    assert await live.says("<~nightowl> !resume") == (
        '"Any% attempts" ended 2 minutes ago. A moderator types !start to begin a new one.'
    )
    session = await live.store.newest_session(*ROOM[:2])
    assert session is not None
    assert session.status == "ended"


@pytest.mark.parametrize("command", ["pause", "resume", "end", "session", "clips", "export"])
async def test_before_the_first_session_everything_says_so(chat: Chat, command: str) -> None:
    assert (await chat.says(f"<~nightowl> !{command}")) == (
        "Not live: no session has started here. A moderator types !start."
    )


async def test_a_refused_viewer_leaves_no_trace(chat: Chat, database: Path) -> None:
    await chat.says("<rook> !clip early")
    assert await own.marks_of(chat.store, "console", "rook") is None
    assert await chat.store.channel(*ROOM[:2]) is None


async def test_titles_and_games_are_cleaned_and_may_be_missing(chat: Chat) -> None:
    await chat.says("<~nightowl> !start \u202e evil  title | ")
    session = await chat.store.newest_session(*ROOM[:2])
    assert session is not None
    assert (session.title, session.game) == ("evil title", "")
    await chat.says("<~nightowl> !end")
    assert (await chat.says("<~nightowl> !start")).startswith("Started. Viewers mark with !clip; see ")


async def test_the_clock_set_back_never_makes_a_segment_end_before_it_starts(live: Chat) -> None:
    live.passes(-3600)
    await live.says("<~nightowl> !pause")
    await live.says("<~nightowl> !resume")
    await live.says("<~nightowl> !end")
    session = await live.store.newest_session(*ROOM[:2])
    assert session is not None
    assert [segment.seconds(live.watch.now) for segment in session.segments] == [0, 0]


# --- any order of commands, by anybody, against a model of the rules that knows nothing of the code


@dataclass
class Model:
    """The rules of design.md §2, as a list of what is open and what was kept."""

    status: str = "none"
    sessions: int = 0
    segments: list[list[int | None]] = field(default_factory=list)
    marks: dict[int, tuple[int, int]] = field(default_factory=dict)
    authors: dict[int, str] = field(default_factory=dict)
    last_number: int = 0
    last_accepted: dict[str, int] = field(default_factory=dict)

    def does(self, who: str, command: str, now: int) -> None:
        """One command, at a whole second."""
        moderator = who[0] in "@~"
        name = who.lstrip("@~")
        if command == "clip":
            self._clip(name, moderator, now)
        elif command == "unclip":
            own = [number for number, author in self.authors.items() if author == name and number in self.marks]
            if own:
                del self.marks[max(own)]
        elif moderator:
            getattr(self, f"_{command}")(now)

    def _clip(self, name: str, moderator: bool, now: int) -> None:
        soon = name in self.last_accepted and now - self.last_accepted[name] < 15
        if self.status == "active" and (moderator or not soon):
            self.last_number += 1
            self.marks[self.last_number] = (len(self.segments), now - (self.segments[-1][0] or 0))
            self.authors[self.last_number] = name
            self.last_accepted[name] = now

    def _start(self, now: int) -> None:
        if self.status in ("none", "ended"):
            self.status, self.segments, self.marks, self.authors, self.last_number = "active", [[now, None]], {}, {}, 0
            self.sessions += 1

    def _pause(self, now: int) -> None:
        if self.status == "active":
            self.status, self.segments[-1][1] = "paused", now

    def _resume(self, now: int) -> None:
        if self.status == "paused":
            self.status = "active"
            self.segments.append([now, None])

    def _end(self, now: int) -> None:
        if self.status == "active":
            self.segments[-1][1] = now
        if self.status in ("active", "paused"):
            self.status = "ended"


SPEAKERS = st.sampled_from(["rook", "mika", "@sable", "~nightowl"])
COMMANDS = st.sampled_from(["clip", "clip", "clip", "unclip", "start", "pause", "resume", "end"])
STEPS = st.lists(st.tuples(SPEAKERS, COMMANDS, st.sampled_from([0, 1, 7, 15, 40, 90_000])), max_size=30)


@example(
    steps=[("@sable", "start", 0), ("rook", "clip", 1), ("rook", "unclip", 1), ("rook", "clip", 1)], reopen_after=3
)
@example(
    steps=[
        ("@sable", "start", 0),
        ("rook", "clip", 1),
        ("@sable", "end", 1),
        ("@sable", "start", 1),
        ("rook", "clip", 1),
    ],
    reopen_after=4,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, reopen_after=st.integers(0, 30))
async def test_any_order_of_commands_by_anybody_follows_the_rules(
    steps: list[tuple[str, str, int]], reopen_after: int
) -> None:
    model, elapsed = Model(), 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "moments.db"
        for part in (steps[:reopen_after], steps[reopen_after:]):
            async with open_chat(path) as chat:
                for who, command, pause in part:
                    elapsed += pause
                    chat.watch.now = chat.watch.now.replace(microsecond=0)
                    start = chat.watch.now
                    chat.passes(elapsed)
                    await chat.says(f"<{who}> !{command}")
                    model.does(who, command, elapsed)
                    chat.watch.now = start
                    await _agrees(chat, model)


async def _agrees(chat: Chat, model: Model) -> None:
    session = await chat.store.newest_session(*ROOM[:2])
    if session is None:
        assert model.status == "none"
        return
    assert session.status == model.status
    open_segments = [segment for segment in session.segments if segment.end_time is None]
    assert len(open_segments) == (1 if session.status == "active" else 0)
    start = chat.watch.now
    assert [
        [
            int((segment.start_time - start).total_seconds()),
            None if segment.end_time is None else int((segment.end_time - start).total_seconds()),
        ]
        for segment in session.segments
    ] == model.segments
    kept = sorted((index, offset, number) for number, (index, offset) in model.marks.items())
    marks = await chat.marks()
    assert [(mark.segment_index, mark.offset_seconds, mark.number) for mark in marks] == kept
