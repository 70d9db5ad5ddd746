"""What ought to be posted of a session in a Discord channel: it follows from the store alone, each time anew.

Only what is near a change is looked at, so that a mark costs the same in a session of any length.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import NamedTuple

from commands.model import Card
from commands.post_cards import LARGEST, Top, View, crowd_card, mark_card, marks_card, people_of, summary_card
from commands.services import Services
from commands.touched import Shape, Touched
from commands.vod import vods
from moments.crowd import CrowdMoment, Point, anchored, crowd_moments
from moments.marks import Timestamp
from moments.sessions import Session, Status, Visibility
from storage import posts
from storage.aside import aside
from storage.feeds import Feed, Mode
from storage.posts import Kind, Post
from storage.reads import STREAMED_AT_ONCE

DISCORD = "discord"
SINGLY = 4
"""When more marks than that wait for a channel, those with consecutive numbers share a post."""
MOST_IN_A_POST = 1_000
NOTES_LOOKED_AT = 20


class Step(NamedTuple):
    """How a post should be."""

    post: Post | None
    """None: it is to be made."""
    kind: Kind
    low: int
    high: int
    card: Card | None
    """None: it should not stand."""
    numbers: Collection[int] = ()
    """The marks it shows."""


def shows(feed: Feed, session: Session) -> bool:
    """Whether a feed's Discord channel may be shown a session; of a private one only its own, where that is wanted."""
    channel = session.channel
    own = (channel.platform, channel.platform_id) == (DISCORD, feed.discord_channel)
    return channel.visibility is Visibility.PUBLIC or (own and feed.shows_private)


async def steps(services: Services, feed: Feed, session_id: str, touched: Touched, shape: Shape) -> AsyncIterator[Step]:
    """Every post of the session that may have to be made, changed or taken away; those to be made in their order."""
    store = services.store
    known = await posts.all_of(store, feed.discord_channel, session_id) if touched.everything else []
    session = await store.session(session_id)
    if session is None or not shows(feed, session):
        for post in known or await posts.all_of(store, feed.discord_channel, session_id):
            yield _away(post)
        return
    takes = feed.takes(session, services.clock())
    if touched.everything and not known and not takes:
        return
    view = await view_of(services, session)
    shape.vods, shape.is_known = view.vods, shape.is_known or touched.everything
    derived = _Derived(services, feed, view, touched, known, takes=takes)
    for index, start in _stretches(session, touched, shape):
        async for step in derived.segment(index, start, await _groups(services, view, index, start, shape)):
            yield step
    async for step in derived.rest():
        yield step


async def view_of(services: Services, session: Session) -> View:
    """The session as its posts show it now; waits for Twitch a moment at most."""
    window = session.channel.seconds(services.defaults).crowd_window_seconds
    return View(session, await vods(services, session), window, services.link(f"/s/{session.id}"))


def _stretches(session: Session, touched: Touched, shape: Shape) -> list[tuple[int, int]]:
    if touched.everything:
        return [(segment.index, 0) for segment in session.segments]
    return [(index, shape.start(index, offset)) for index, offset in sorted(touched.starts.items())]


async def _groups(
    services: Services, view: View, segment_index: int, start: int, shape: Shape
) -> list[list[Timestamp]]:
    """The crowd moments of a segment from one that begins at `start` on, lone marks included."""
    groups: list[list[Timestamp]] = []
    after, reached = (segment_index, start, -1), True
    while reached:
        chunk = await services.store.marks(view.session, after=after, limit=STREAMED_AT_ONCE)
        marks = [mark for mark in chunk if mark.segment_index == segment_index]
        for mark in marks:
            shape.place(mark)
        open_group = groups.pop() if groups else []
        groups += anchored([*open_group, *marks], view.window_seconds)
        reached = len(marks) == STREAMED_AT_ONCE
        after = (segment_index, marks[-1].offset_seconds, marks[-1].number) if marks else after
    shape.learn(segment_index, start, groups)
    return groups


def _away(post: Post) -> Step:
    return Step(post, post.kind, post.low, post.high, None)


class _Derived:
    """What ought to stand in a channel, compared with what does, segment by segment."""

    def __init__(
        self, services: Services, feed: Feed, view: View, touched: Touched, known: Sequence[Post], *, takes: bool
    ) -> None:
        self._services, self._feed, self._view, self._touched, self._takes = services, feed, view, touched, takes
        self._known = {post.id: post for post in known}
        self._marks = sorted((post for post in known if post.kind is Kind.MARKS), key=lambda post: post.low)
        self._unposted: dict[int, int] = {}
        """Numbers of marks in no post, with how many people are in their crowd moment."""
        self._left = set(touched.numbers)
        """Numbers that were touched and are in no segment that was looked at: those marks are gone."""

    async def segment(self, index: int, start: int, groups: list[list[Timestamp]]) -> AsyncIterator[Step]:
        shown = {mark.number: (mark, people) for group in groups for people in [people_of(group)] for mark in group}
        async for step in self._of_marks(shown):
            yield step
        for step in await self._of_crowds(index, start, groups):
            yield step

    async def _of_marks(self, shown: dict[int, tuple[Timestamp, int]]) -> AsyncIterator[Step]:
        self._left -= shown.keys()
        covered = _covered(await self._showing(shown.keys()), shown.keys())
        for number, post in covered.items():
            if post.low == post.high:
                self._known.pop(post.id, None)
                yield Step(post, Kind.MARKS, number, number, mark_card(self._view, *shown[number]), (number,))
            elif number in self._touched.numbers:
                self._left.add(number)
        if self._takes and self._feed.mode is Mode.EACH:
            self._unposted |= {number: shown[number][1] for number in shown.keys() - covered.keys()}

    async def _showing(self, numbers: Collection[int]) -> list[Post]:
        if self._touched.everything:
            return self._marks
        return await posts.showing_numbers(
            self._services.store, self._feed.discord_channel, self._view.session.id, sorted(numbers)
        )

    async def _of_crowds(self, index: int, start: int, groups: list[list[Timestamp]]) -> list[Step]:
        feed, view = self._feed, self._view
        crowds = {group[0].offset_seconds: group for group in groups if people_of(group) >= feed.min_people}
        standing = await posts.showing_crowds(self._services.store, feed.discord_channel, view.session.id, index, start)
        matched = match(standing, list(crowds), view.window_seconds)
        steps = []
        for post in standing:
            self._known.pop(post.id, None)
            anchor = matched.get(post.id)
            steps.append(_away(post) if anchor is None else self._crowd(post, index, crowds.pop(anchor)))
        if self._takes and feed.mode is Mode.CROWD:
            steps += [self._crowd(None, index, group) for group in crowds.values()]
        return steps

    def _crowd(self, post: Post | None, index: int, group: Sequence[Timestamp]) -> Step:
        card, numbers = crowd_card(self._view, group), frozenset(mark.number for mark in group)
        return Step(post, Kind.CROWD, index, group[0].offset_seconds, card, numbers)

    async def rest(self) -> AsyncIterator[Step]:
        """What is in no segment: marks that are gone, posts of several, the summary; and what is to be made."""
        for post in await self._others():
            self._known.pop(post.id, None)
            yield await self._again(post)
        if self._view.session.status is Status.ENDED:
            for step in await self._summary():
                yield step
        for post in self._known.values():
            yield _away(post)
        for low, high in runs(self._unposted):
            for step in await self._new(low, high):
                yield step

    async def _others(self) -> list[Post]:
        if self._touched.everything:
            return [post for post in self._known.values() if post.kind is Kind.MARKS]
        standing = await self._showing(self._left)
        return [post for post in standing if any(post.low <= number <= post.high for number in self._left)]

    async def _again(self, post: Post) -> Step:
        """A post of several marks, or of one that is gone."""
        marks = [] if post.low == post.high else await self._numbered(post.low, post.high)
        card = marks_card(self._view, marks) if marks else None
        return Step(post, post.kind, post.low, post.high, card, range(post.low, post.high + 1))

    async def _new(self, low: int, high: int) -> list[Step]:
        marks = await self._numbered(low, high)
        if not marks:
            return []
        one = mark_card(self._view, marks[0], self._unposted[low]) if low == high else None
        return [Step(None, Kind.MARKS, low, high, one or marks_card(self._view, marks), range(low, high + 1))]

    async def _numbered(self, low: int, high: int) -> list[Timestamp]:
        return await posts.marks_numbered(self._services.store, self._view.session, low, high)

    async def _summary(self) -> list[Step]:
        store, session = self._services.store, self._view.session
        post = await posts.summary_of(store, self._feed.discord_channel, session.id)
        if post is None and not (self._takes and self._feed.mode is Mode.SUMMARY):
            return []
        totals = await store.totals(session)
        card = summary_card(self._view, totals, await _largest(self._services, self._view)) if totals.marks else None
        if post is not None:
            self._known.pop(post.id, None)
        return [Step(post, Kind.SUMMARY, 0, 0, card)] if card or post else []


def _covered(standing: Sequence[Post], numbers: Iterable[int]) -> dict[int, Post]:
    """Which post, of those in the order of their numbers, shows each of these marks."""
    lows = [post.low for post in standing]
    covered = {}
    for number in numbers:
        at = bisect_left(lows, number + 1) - 1
        if at >= 0 and standing[at].high >= number:
            covered[number] = standing[at]
    return covered


def match(standing: Sequence[Post], anchors: Iterable[int], window_seconds: int) -> dict[int, int]:
    """Which crowd moment each post shows by now, by the post's id: the same one, else the nearest within the window.

    A crowd moment's anchor moves when an earlier mark comes or its first one goes; its post then follows it.
    """
    free, matched = set(anchors), {}
    for post in standing:
        if post.high in free:
            matched[post.id] = post.high
            free.discard(post.high)
    for post in standing:
        near = [anchor for anchor in free if abs(anchor - post.high) <= window_seconds]
        if post.id not in matched and near:
            matched[post.id] = min(near, key=lambda anchor: abs(anchor - post.high))
            free.discard(matched[post.id])
    return matched


def runs(numbers: Collection[int]) -> list[tuple[int, int]]:
    """Which marks share a post: few stand alone; of many, those with consecutive numbers are together."""
    ordered = sorted(numbers)
    if len(ordered) <= SINGLY:
        return [(number, number) for number in ordered]
    found: list[tuple[int, int]] = []
    for number in ordered:
        if found and number == found[-1][1] + 1 and number - found[-1][0] < MOST_IN_A_POST:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


async def _largest(services: Services, view: View) -> list[Top]:
    points = await services.store.points(view.session)
    groups = await aside(_most_people, points, view.window_seconds)
    notes = await services.store.notes(view.session, [n for group in groups for n in group.numbers[:NOTES_LOOKED_AT]])
    said = (next((notes[n] for n in group.numbers if n in notes), "") for group in groups)
    return [Top(*group[:3], words) for group, words in zip(groups, said, strict=True)]


def _most_people(points: Sequence[Point], window_seconds: int) -> list[CrowdMoment]:
    groups = [group for group in crowd_moments(points, window_seconds) if group.people > 1]
    return sorted(groups, key=lambda group: (-group.people, *group[:2]))[:LARGEST]
