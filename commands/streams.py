"""What a stream's going on and off the air does to its channel's session, told by the platform or found out later."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from commands.services import Services
from commands.stream import new_session_id
from moments.errors import Repeated
from moments.live import LiveChannel, Place
from moments.notes import clean_name
from moments.sessions import Status, ended, paused, resumed, started
from moments.streams import Course, StreamState, course, off, on_stream, overdue
from storage import Transaction, connections, streams
from storage.connections import State

if TYPE_CHECKING:
    from providers.twitch.shapes import Stream  # a log is replayed without loading an HTTP client

LIVE = "live"
"""The kind of stream people mark; reruns, premieres and watch parties start nothing."""
LAG = timedelta(minutes=2)
"""By how much Helix's list of streams may trail Twitch's own events."""
WORDS_FRESH = timedelta(hours=12)
"""Words that did not change are kept anew after so long, well before they would have to go."""

Act = Callable[[Transaction], Awaitable[None]]


async def went_online(
    services: Services, place: Place, stream_id: str, message_id: str | None, now: datetime, *, kind: str = LIVE
) -> None:
    """A stream is on the air: its session begins, or goes on (the rules are moments.streams.course)."""
    place = _clean(place)

    async def act(transaction: Transaction) -> None:
        await _online(transaction, place, stream_id, now, now)

    if kind == LIVE:
        await _once(services, place, message_id, now, act)


async def went_offline(services: Services, place: Place, message_id: str | None, now: datetime) -> None:
    """The stream is off the air: marks wait, and end_overdue() ends the session unless it comes back."""
    place = _clean(place)

    async def act(transaction: Transaction) -> None:
        await _offline(transaction, place, now)

    await _once(services, place, message_id, now, act)


async def channel_updated(
    services: Services, place: Place, title: str, game: str, message_id: str | None, now: datetime
) -> None:
    """The stream is called something else from now on; a moderator's own words stay in front of it."""
    place = _clean(place)

    async def act(transaction: Transaction) -> None:
        await _called(transaction, place, title, game, now)

    await _once(services, place, message_id, now, act)


async def set_stream_info(services: Services, place: Place, title: str, game: str, now: datetime) -> None:
    """What Helix says the running stream is called."""
    await channel_updated(services, place, title, game, None, now)


async def end_overdue(services: Services, now: datetime) -> None:
    """End the sessions whose streams have been gone for longer than GRACE, also those gone while we were not here."""
    for place in await streams.gone(services.store, now):
        await services.store.run(_ending(place, now), message=None, now=now)


async def reconcile(
    services: Services, live: Mapping[str, "Stream"], connected: Iterable[Place], now: datetime
) -> None:
    """Catch up with what was missed while deaf: `live` is Helix's answer for the connected channels, by their ids.

    `now` is when Helix was asked. What is known already changes nothing.
    """
    jobs = [_agreeing(_clean(place), live.get(place.platform_id), now) for place in connected]
    await asyncio.gather(*(services.store.run(job, message=None, now=now) for job in jobs))


def _agreeing(place: Place, stream: "Stream | None", now: datetime) -> Act:
    async def act(transaction: Transaction) -> None:
        connection = await connections.of_channel(transaction, *place[:2])
        if connection is not None and connection.state is State.DISCONNECTED:
            return  # while Helix was asked
        _, state = await _known(transaction, place)
        if _outdated(stream, state, now):
            return
        if stream is None:
            await _offline(transaction, place, now)
        elif stream.type == LIVE:
            await _online(transaction, place, stream.id, stream.started_at, now)
            await _called(transaction, place, stream.title, stream.category, now)

    return act


def _outdated(stream: "Stream | None", state: StreamState | None, now: datetime) -> bool:
    """Whether Helix tells nothing, or nothing newer than Twitch's events have told us."""
    if state is None:
        return stream is None
    if stream is None:
        return state.live_id is None or now - state.started_at <= LAG
    if stream.id == state.stream_id:
        return state.offline_at is not None and now - state.offline_at <= LAG
    return stream.started_at < state.started_at


def _ending(place: Place, now: datetime) -> Act:
    async def act(transaction: Transaction) -> None:
        live, state = await _known(transaction, place)
        if live.session is None or state is None or not overdue(live.session, state, now):
            return
        over = ended(live.session, now)
        if over is not None:
            await transaction.save_session(place, over)
            await streams.keep_state(transaction, live.channel.id, replace(state, paused_by_us=True))

    return act


async def _online(transaction: Transaction, place: Place, stream_id: str, started_at: datetime, now: datetime) -> None:
    live, state = await _known(transaction, place)
    session, life = live.session, now
    if session is not None:
        seen = await streams.last_sign_of_life(transaction, session)
        life = max(seen, state.started_at) if state else seen
    what = course(session, state, stream_id, now, life)
    if what is Course.AFRESH:
        if session is not None and (over := ended(session, now)):
            session = await transaction.save_session(place, over)
        session = started(session, live.channel, "", "", now, new_session_id())
    elif what is Course.GO_ON and session is not None:
        session = resumed(paused(session, now) or session, now)
    if what is not Course.STAY and session is not None:
        session = await transaction.save_session(place, on_stream(session, stream_id))
    if session is not None and (state is None or state.live_id != stream_id):
        await streams.keep_state(transaction, session.channel.id, StreamState(stream_id, started_at))


async def _offline(transaction: Transaction, place: Place, now: datetime) -> None:
    live, state = await _known(transaction, place)
    gone = off(state, live.session, now)
    if gone is None or not live.channel.id:
        return
    if live.session is not None and gone.paused_by_us and (waiting := paused(live.session, now)):
        await transaction.save_session(place, waiting)
        gone = replace(gone, offline_at=waiting.segments[-1].end_time)  # a clock set back must not hide it from overdue
    await streams.keep_state(transaction, live.channel.id, gone)


async def _called(transaction: Transaction, place: Place, title: str, game: str, now: datetime) -> None:
    live, state = await _known(transaction, place)
    session = live.session
    if session is None or session.status is Status.ENDED or state is None or state.live_id is None:
        return  # what the next stream will be called is no name for this one
    if await connections.is_over(transaction, *place[:2]):
        return
    words = (clean_name(title), clean_name(game))
    kept = await streams.words(transaction, session)
    same = kept is not None and kept[:2] == words
    if kept is not None and same and now - kept[2] < WORDS_FRESH:
        return
    await streams.keep_words(transaction, session, place.platform, *words, now)
    if not same:
        await transaction.let_channel_go(place)


async def _known(transaction: Transaction, place: Place) -> tuple[LiveChannel, StreamState | None]:
    live = await transaction.live(place)
    return live, await streams.state(transaction, live.channel.id) if live.channel.id else None


async def _once(services: Services, place: Place, message_id: str | None, now: datetime, act: Act) -> None:
    message = (place.platform, message_id) if message_id else None
    with suppress(Repeated):
        await services.store.run(act, message=message, now=now)


def _clean(place: Place) -> Place:
    """The channel under a name that may be stored (TXT-1)."""
    return place._replace(display_name=clean_name(place.display_name) or place.platform_id)
