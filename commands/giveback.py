"""A crowd moment as a real clip on Twitch: promote. Optional, and each moment once, whatever happens in between."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import structlog

from commands.arguments import Number
from commands.audit import note
from commands.connecting import CLIPS
from commands.model import Invocation, Reply
from commands.registry import command
from commands.stream import current_session
from moments.crowd import Point, crowd_moments
from moments.errors import (
    NotAuthorised,
    NotFound,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
    ProviderUnreadable,
    Refusal,
)
from moments.notes import shortened
from moments.sessions import Session, Status
from moments.vod import vods_of
from moments.wording import counted
from storage import Transaction, promotions
from storage.aside import aside
from storage.promotions import Promotion, State

if TYPE_CHECKING:
    from providers.twitch import TwitchApi

SHORTEST, LONGEST = 5, 60
"""Seconds of a clip, by Twitch's rules (research/twitch.md §5)."""
AFTERWARDS = 5
"""Seconds a clip goes on after the crowd's last mark."""
TITLE = 140
"""Characters of a clip's title."""
LOOKS = (0.5, 1.5, 3.0, 4.0, 6.0)
"""Seconds before each look whether the clip is there: Twitch gives up after 15."""
NOTES_LOOKED_AT = 50
UNANSWERED = timedelta(minutes=1)
"""After which one that was asked for, and did not come, may be asked for again."""
VOD_APPEARS = timedelta(hours=1)

OFF = "Clips are off here. The streamer turns them on by typing !setup clips on in the Twitch chat."
"""Wherever `promote` is typed: in a Discord channel that is joined to the stream, `setup` is about that channel."""

_log = structlog.get_logger("giveback")


class _Moment(NamedTuple):
    """A crowd moment of a session, lone marks included."""

    segment_index: int
    first: int
    last: int
    """Offsets of its first and last mark, in seconds."""
    numbers: tuple[int, ...]


class _Cut(NamedTuple):
    """A stretch of an archive."""

    video_id: str
    ends_at: int
    duration: int


@command("promote", "Make a real Twitch clip of the crowd moment around a mark.", live=True)
async def promote(call: Invocation, number: Number) -> Reply:
    """Ask once for a clip of the stretch its crowd marked, and say where it is."""
    session = await current_session(call)
    twitch = call.services.twitch
    if session.channel.platform != "twitch" or twitch is None:
        raise Refusal("Only streams on Twitch have clips. `clips` leads to this session's own page.")
    if not session.channel.settings.promote:
        raise Refusal(OFF)
    moment = await _moment(call, session, number)
    asked = await _ask_once(call, session, moment, number)
    if asked.state is State.ASKED:
        asked = await _make(call, twitch, session, moment, asked, number)
    if asked.state is State.MAKING:
        if not await _appeared(twitch, asked.clip_id):
            return _changed(await _still_making(call, session, asked, number))
        await _move(call, session, asked._replace(state=State.DONE))
    return _changed(f"Clip of #{number}: {_url(asked.clip_id)}")


def _changed(text: str) -> Reply:
    return Reply(text, kind="changed")


def _url(clip_id: str) -> str:
    return f"https://clips.twitch.tv/{quote(clip_id, safe='')}"


async def _moment(call: Invocation, session: Session, number: int) -> _Moment:
    window = session.channel.seconds(call.services.defaults).crowd_window_seconds
    points = await call.services.store.points(session)
    found = await aside(_around, points, window, number)
    if found is None:
        raise NotFound(f"There is no mark #{number} in this session. Type `clips` for the page that lists them.")
    return found


def _around(points: Sequence[Point], window: int, number: int) -> _Moment | None:
    offsets = {point.number: point.offset_seconds for point in points}
    group = next((group for group in crowd_moments(points, window) if number in group.numbers), None)
    if group is None:
        return None
    return _Moment(group.segment_index, group.offset_seconds, offsets[group.numbers[-1]], group.numbers)


# --- once


async def _ask_once(call: Invocation, session: Session, moment: _Moment, number: int) -> Promotion:
    """The moment's promotion: as far as it is, or a new one; Refusal while another is being asked for."""

    async def ask(transaction: Transaction) -> Promotion:
        known = await promotions.of_session(transaction, session)
        before = next((one for one in known if one.number in moment.numbers), None)
        if before is not None and before.state is not State.ASKED:
            return before
        if before is not None and not _is_over(call, before):
            raise Refusal(f"The clip of #{number} is being asked for. Try again in a minute.")
        row = before.number if before else number
        await promotions.ask(transaction, session, row, call.heard.author, call.arrived)
        await note(call, transaction, session.channel, "promote", session_id=session.id, target=f"#{number}")
        return Promotion(row, State.ASKED, "", call.arrived)

    return await call.write(ask)


def _is_over(call: Invocation, asked: Promotion) -> bool:
    """Whether nothing more is to be expected of it."""
    return not timedelta(0) <= call.arrived - asked.requested_at < UNANSWERED


async def _move(call: Invocation, session: Session, asked: Promotion) -> None:
    async def move(transaction: Transaction) -> None:
        await promotions.move(transaction, session, asked.number, asked.state, asked.clip_id, _url(asked.clip_id))

    await call.services.store.run(move, message=None, now=call.services.clock())


async def _withdraw(call: Invocation, session: Session, asked: Promotion) -> None:
    async def withdraw(transaction: Transaction) -> None:
        await promotions.withdraw(transaction, session, asked.number)

    await call.services.store.run(withdraw, message=None, now=call.services.clock())


async def _still_making(call: Invocation, session: Session, asked: Promotion, number: int) -> str:
    if not _is_over(call, asked):
        return f"Twitch is still making the clip of #{number}. Type `promote` #{number} again in a minute."
    await _withdraw(call, session, asked)
    return f"Twitch did not make the clip of #{number}. Type `promote` #{number} to ask again."


# --- asking


async def _make(
    call: Invocation, twitch: "TwitchApi", session: Session, moment: _Moment, asked: Promotion, number: int
) -> Promotion:
    """Ask Twitch; what it certainly did not begin may be asked for again at once."""
    try:
        channel_id = session.channel.platform_id
        if CLIPS not in (await twitch.helix.user_tokens.grant(channel_id)).scopes:
            raise NotAuthorised("The streamer did not grant clips.")
        cut = await _cut(call, session, moment, number)
        title = await _title(call, session, moment, number)
        made = await twitch.helix.create_clip_from_vod(
            channel_id, cut.video_id, ends_at_seconds=cut.ends_at, duration_seconds=cut.duration, title=title
        )
    except (ProviderDown, ProviderUnreadable) as error:
        raise Refusal("Twitch did not answer. Try again in a minute; it may have begun, so not sooner.") from error
    except (ProviderError, Refusal) as error:
        await _withdraw(call, session, asked)
        raise _refusal(call, error) from error
    making = asked._replace(state=State.MAKING, clip_id=made.id)
    await _move(call, session, making)
    return making


def _refusal(call: Invocation, error: ProviderError | Refusal) -> Refusal:
    match error:
        case Refusal():
            return error
        case ProviderBusy():
            return Refusal(f"Twitch is busy. Try again in {counted(ceil(error.retry_after), 'second')}.")
        case NotAuthorised():
            connect = call.services.link("/twitch/connect")
            return Refusal(f"Moments may not make clips here yet: the streamer allows it at {connect}")
        case ProviderRefused(status=403):
            return Refusal("Clips are restricted on this channel. The streamer changes that in Twitch's settings.")
        case ProviderRefused(status=404):
            return Refusal("Twitch no longer has the VOD of that moment, so there is nothing to clip.")
        case _:
            return Refusal("Twitch did not take it: this category, or these words as a title, cannot be clipped.")


async def _cut(call: Invocation, session: Session, moment: _Moment, number: int) -> _Cut:
    """From the lead before the first mark to shortly after the last; Refusal in words while the VOD does not reach."""
    archives = await call.services.archives.of(call.services, session)
    place = vods_of(session, archives, lead_seconds=0).place(moment.segment_index, moment.first)
    if place is None:
        raise Refusal(_no_vod(call, session, number))
    archive = next(one for one in archives if one.video_id == place.video_id)
    reaches, first, last = archive.duration_seconds, place.seconds, place.seconds + moment.last - moment.first
    if reaches < max(SHORTEST, last if archive.growing else first):
        raise Refusal(f"Twitch's VOD has not reached #{number} yet. Try again in a few minutes.")
    lead = session.channel.seconds(call.services.defaults).lead_seconds
    begins = max(0, first - lead)
    ends = max(SHORTEST, min(last + AFTERWARDS, begins + LONGEST, reaches))
    return _Cut(place.video_id, ends, min(LONGEST, max(SHORTEST, ends - begins)))


def _no_vod(call: Invocation, session: Session, number: int) -> str:
    over = session.status is Status.ENDED and call.arrived - session.updated_at >= VOD_APPEARS
    if over:
        return f"Twitch has no VOD of #{number}, so there is nothing to clip."
    return f"Twitch has no VOD of #{number} yet. Try again in a few minutes."


async def _title(call: Invocation, session: Session, moment: _Moment, number: int) -> str:
    """The mark's own words after the session's; else the first words somebody of the crowd said."""
    notes = await call.services.store.notes(session, [number, *moment.numbers[:NOTES_LOOKED_AT]])
    said = next((notes[one] for one in (number, *moment.numbers) if one in notes), "")
    return shortened(" – ".join(words for words in (session.title, said) if words) or f"Moment #{number}", TITLE)


async def _appeared(twitch: "TwitchApi", clip_id: str) -> bool:
    """Whether Twitch has made it; asked for as long as it may take."""
    for wait in LOOKS:
        await asyncio.sleep(wait)
        try:
            if await twitch.helix.clips([clip_id]):
                return True
        except ProviderError as error:
            _log.info("whether a clip is there could not be asked", error=str(error))
    return False
