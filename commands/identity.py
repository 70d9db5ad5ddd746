"""The same recording on other services, found in the background (research/providers.md §3) and merged, or asked about.

The same id is the same source to begin with, and a person's word is commands/tracks.py. What is left, in this order:
MusicBrainz' links, the ISRC, and what Deezer's and Apple's searches find, judged by moments.matching. Nothing Spotify's
API says takes part: a Spotify link is known by what MusicBrainz says is behind it (R6).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from commands.services import Services
from commands.told import facts_of, lasting, recording, told_of
from moments.matching import NEAR_SECONDS, Kind, Verdict, judge
from providers.catalogue import Absent, Catalogues, MediaFacts
from providers.links import Link
from storage import Transaction, questions, sources, tracks
from storage.aside import aside
from storage.sources import Live, State
from storage.tracks import Source

BY_RULE = "matching"
MOST_SAVES = 5_000
"""Of the smaller track: joining counts its people anew while everybody waits, so with more a person says when."""
"""Who asks for a merge that nobody asked for."""
_SONG_SECONDS = 3_600
"""What is longer is no song, and no search is spent on it."""
_KINDS = {"apple_music": "track", "deezer": "track", "musicbrainz": "recording"}
_NO_SONGS = frozenset({"kick", "tiktok", "twitch"})
_SILENT = frozenset({"bandcamp", "spotify"})
"""Services whose API is not there, or not to be used for this: their songs are as long as MusicBrainz says."""
_MOST_SOURCES = 100


class Method(Enum):
    """How two recordings were found to be the same."""

    MUSICBRAINZ = "musicbrainz"
    ISRC = "isrc"
    SCORE = "score"


class Side(NamedTuple):
    """A recording on one service, and how long it is as far as that is told."""

    provider: str
    media_id: str
    kind: str
    seconds: int | None


class Found(NamedTuple):
    """What a search found, and what it is to the recording it was for."""

    facts: MediaFacts
    verdict: Verdict

    @property
    def side(self) -> Side:
        """The recording it is."""
        facts = self.facts
        return Side(facts.provider, facts.media_id, _KINDS[facts.provider], facts.duration_seconds)


def may_be_a_song(link: Link) -> bool:
    """Whether looking for it elsewhere makes sense."""
    return link.kind in ("track", "video", "recording") and link.provider not in _NO_SONGS


async def find_elsewhere(services: Services, catalogues: Catalogues, link: Link) -> list[Absent]:
    """Merge a recording people saved with what is the same, and ask about what may be; who could not be asked."""
    now = services.clock()
    told = await sources.find(services.store, link.provider, link.media_id, now)
    own = facts_of(told) if told and told.state is State.KNOWN else None
    if own and (own.availability.live != "no" or (own.duration_seconds or 0) > _SONG_SECONDS):
        return []
    search = _Search(services, catalogues, link, own, now)
    hub, missing = await search.behind()
    if hub is not None:
        await search.join_hub(hub)
    return missing + await search.join_found(hub)


@dataclass(frozen=True, slots=True)
class _Search:
    """One recording, and everything that is done for it."""

    services: Services
    catalogues: Catalogues
    link: Link
    own: MediaFacts | None
    """What its service says of it; None for those that say nothing, Spotify among them."""
    now: datetime

    async def behind(self) -> tuple[MediaFacts | None, list[Absent]]:
        """The one MusicBrainz recording behind the link, if there is just one, with all its links."""
        if self.link.provider == "musicbrainz":
            return self.own, []
        found, missing = await self.catalogues.recordings(self.link, now=self.now)
        seconds = self.own.duration_seconds if self.own else None
        near = [each for each in found if seconds is None or _near(seconds, each.duration_seconds)]
        if len(near) != 1:
            return None, missing
        whole = await self.catalogues.look_up(Link("musicbrainz", near[0].media_id, "recording"), now=self.now)
        return (None, [*missing, whole]) if isinstance(whole, Absent) else (whole, missing)

    async def join_hub(self, hub: MediaFacts) -> None:
        """Merge with a MusicBrainz recording, and with everything it links to that people saved parts of."""
        mine = self._side(hub)
        if self.link.provider != "musicbrainz":
            await self._keep(hub)
            there = Side(hub.provider, hub.media_id, "recording", hub.duration_seconds)
            await self._join(mine, there, Method.MUSICBRAINZ, 100, ("MusicBrainz names this link",), ask=False)
        for provider, media_id in hub.links:
            source = await _known(self.services, provider, media_id)
            if source is not None and (provider, media_id) != mine[:2]:
                other = await self._known_side(source, hub)
                evidence = ("MusicBrainz links both to one recording",)
                await self._join(mine, other, Method.MUSICBRAINZ, 100, evidence, ask=True)

    async def join_found(self, hub: MediaFacts | None) -> list[Absent]:
        """Merge with what searches find, and ask about what is not certain; who could not be asked."""
        words = self.own if self.own and self.own.title else hub
        if words is None or not words.title:
            return []
        isrc = words.isrc or (hub.isrc if hub else None)
        found, missing = await self.catalogues.candidates(
            words.title, words.by or "", words.duration_seconds, now=self.now, isrc=isrc
        )
        others = [each for each in found if (each.provider, each.media_id) != (self.link.provider, self.link.media_id)]
        # Off the loop: three dozen verdicts take tens of milliseconds.
        judged = await aside(_judged, words, others)
        await self._join_same(words, judged)
        await self._ask(words, judged)
        return missing

    async def _join_same(self, words: MediaFacts, judged: Sequence[Found]) -> None:
        """All that people saved, and the likeliest of each other service: whoever pastes that next is here already."""
        same = [each for each in judged if each.verdict.kind is Kind.SAME]
        if sum(each.facts.provider == "musicbrainz" for each in same) > 1:  # an ISRC of several recordings proves none
            same = [each for each in same if each.facts.provider != "musicbrainz"]
        served = {self.link.provider}
        for each in same:
            if await _known(self.services, *each.side[:2]) is None and each.facts.provider in served:
                continue
            served.add(each.facts.provider)
            verdict = each.verdict
            method = self._method(words, each.facts)
            await self._join(self._side(words), each.side, method, verdict.score, verdict.evidence, ask=True)

    async def _ask(self, words: MediaFacts, judged: Sequence[Found]) -> None:
        """About what people saved; and, when nothing is certain, about the likeliest of all."""
        doubtful = [each for each in judged if each.verdict.kind is Kind.ASK]
        doubtful += [each for each in judged if each.verdict.kind is Kind.OTHER_VERSION]
        certain = any(each.verdict.kind is Kind.SAME for each in judged)
        for place, each in enumerate(doubtful):
            likeliest = place == 0 and not certain
            if likeliest or await _known(self.services, *each.side[:2]) is not None:
                another = ("another version",) if each.verdict.kind is Kind.OTHER_VERSION else ()
                evidence = another + each.verdict.evidence
                await self._put_question(self._side(words), each.side, each.verdict.score, evidence)

    def _method(self, words: MediaFacts, other: MediaFacts) -> Method:
        if self.own is None:
            return Method.MUSICBRAINZ
        return Method.ISRC if words.isrc and words.isrc == other.isrc else Method.SCORE

    def _side(self, words: MediaFacts) -> Side:
        """The recording itself; where its service says nothing at all, as long as MusicBrainz says."""
        seconds = (self.own or words).duration_seconds
        return Side(self.link.provider, self.link.media_id, self.link.kind, seconds)

    async def _known_side(self, source: Source, hub: MediaFacts) -> Side:
        told = await sources.find(self.services.store, source.provider, source.media_id, self.now)
        if source.provider in _SILENT:
            return Side(source.provider, source.media_id, source.kind, hub.duration_seconds)
        seconds = told.duration_seconds if told and told.live is Live.NO else None
        return Side(source.provider, source.media_id, source.kind, seconds)

    async def _keep(self, hub: MediaFacts) -> None:
        async def job(transaction: Transaction) -> None:
            await sources.put(transaction, told_of(hub))

        await self.services.store.run(job, message=None, now=self.now)

    async def _join(
        self, one: Side, other: Side, method: Method, confidence: int, evidence: Iterable[str], *, ask: bool
    ) -> None:
        """Merge where times carry over and no person has said otherwise; else ask a person, where that is wished."""
        reasons = lasting(evidence)

        async def job(transaction: Transaction) -> None:
            mine, theirs = [await _open(transaction, side, self.now) for side in (one, other)]
            if await questions.said_different(transaction, mine, theirs):
                return
            if not await _times_carry_over(transaction, one, other, self.now):
                if ask:
                    doubt = f"lengths are not all known to be within {NEAR_SECONDS} s"
                    await questions.ask(transaction, mine, theirs, confidence, (*reasons, doubt), self.now)
            elif all([await tracks.has_more_saves_than(transaction, side, MOST_SAVES) for side in (mine, theirs)]):
                doubt = f"both have more than {MOST_SAVES} saves; nothing else is saved while they are joined"
                await questions.ask(transaction, mine, theirs, confidence, (*reasons, doubt), self.now)
            else:
                await tracks.merge(transaction, mine, theirs, method.value, confidence, reasons, BY_RULE, self.now)

        await self.services.store.run(job, message=None, now=self.now)

    async def _put_question(self, one: Side, other: Side, score: int, evidence: Iterable[str]) -> None:
        reasons = lasting(evidence)

        async def job(transaction: Transaction) -> None:
            mine, theirs = [await _open(transaction, side, self.now) for side in (one, other)]
            if not await questions.said_different(transaction, mine, theirs) and not await _are_one(
                transaction, one, other
            ):
                await questions.ask(transaction, mine, theirs, score, reasons, self.now)

        await self.services.store.run(job, message=None, now=self.now)


def _judged(words: MediaFacts, others: Iterable[MediaFacts]) -> list[Found]:
    """Each with its verdict, the likeliest first."""
    mine = recording(words)
    found = [Found(each, judge(mine, recording(each))) for each in others]
    return sorted(found, key=lambda each: (-each.verdict.score, each.facts.provider, each.facts.media_id))


def _near(one: int, other: int | None) -> bool:
    return other is not None and abs(one - other) <= NEAR_SECONDS


async def _known(services: Services, provider: str, media_id: str) -> Source | None:
    """The source, when we know of it."""
    track = await tracks.of_source(services.store, provider, media_id)
    if track is None:
        return None
    known = await tracks.sources(services.store, track)
    return next((each for each in known if (each.provider, each.media_id) == (provider, media_id)), None)


async def _open(transaction: Transaction, side: Side, now: datetime) -> Source:
    return await tracks.open_source(transaction, side.provider, side.media_id, side.kind, now)


async def _are_one(transaction: Transaction, one: Side, other: Side) -> bool:
    found = [await tracks.of_source(transaction, *side[:2]) for side in (one, other)]
    return found[0] == found[1]


async def _times_carry_over(transaction: Transaction, one: Side, other: Side, now: datetime) -> bool:
    """Whether both lengths are known, and all that would be one track are within 2 s of each other."""
    if one.seconds is None or other.seconds is None:
        return False
    lengths = {one[:2]: one.seconds, other[:2]: other.seconds}
    for side in (one, other):
        track = await tracks.of_source(transaction, *side[:2])
        there = (await tracks.sources(transaction, track))[:_MOST_SOURCES] if track else []
        known = await sources.find_all(transaction, [(each.provider, each.media_id) for each in there], now)
        for thing, told in known.items():
            if told.duration_seconds is not None and told.live is Live.NO:
                lengths.setdefault(thing, told.duration_seconds)
    return max(lengths.values()) - min(lengths.values()) <= NEAR_SECONDS
