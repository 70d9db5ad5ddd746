"""The stream's own commands: start, pause, resume, end, and what is running."""

import secrets
from collections.abc import Callable
from datetime import datetime

from commands.access import may_see
from commands.arguments import Game, Title
from commands.audit import note
from commands.model import Invocation, Reply
from commands.registry import command
from moments.errors import NotFound, Refusal
from moments.live import Place
from moments.notes import clean_name
from moments.sessions import NOT_LIVE, Session, Status, Visibility, ended, paused, resumed, started
from moments.streams import on_stream
from moments.timecodes import hms
from moments.wording import ago, counted
from storage import Store, Transaction, streams

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 22
"""Letters of 57: more than 128 bits, so that a session's link cannot be guessed (AZ-6)."""
PRIVATE = "This channel's pages are private; its moderators log in."
"""What its viewers are told, whose marks are taken all the same."""

Rule = Callable[[Session | None, datetime], Session | None]


def new_session_id() -> str:
    """A name for a new session that nobody can guess; letters and digits only, none that look alike."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


@command("start", "Start a session: from now on, viewers can mark.", live=True)
async def start(call: Invocation, title: Title = "", game: Game = "") -> Reply:
    """Open a session with its first segment."""

    async def open_session(transaction: Transaction) -> Session:
        live = await transaction.live(call.heard.place)
        names = (clean_name(title), clean_name(game))
        session = started(live.session, live.channel, *names, call.arrived, new_session_id())
        return await _save(call, transaction, session, "start")

    session = await call.write(open_session)
    what = f"Started {call.quoted(session.name)}." if session.title else "Started."
    return Reply(f"{what} Viewers mark with `clip`; see {_page(call, session)}", kind="changed")


@command("pause", "Pause the session: marks wait until you resume.", live=True)
async def pause(call: Invocation) -> Reply:
    """Close the open segment."""
    session, changed = await _move(call, "pause", paused)
    at = hms(session.segments[-1].seconds(call.arrived))
    return Reply(f"Paused at {at}." if changed else f"Already paused at {at}.", kind="changed")


@command("resume", "Go on after a pause, in a new segment.", live=True)
async def resume(call: Invocation) -> Reply:
    """Open the next segment."""
    session, changed = await _move(call, "resume", resumed)
    index = session.segments[-1].index
    return Reply(f"Resumed: segment {index}." if changed else f"Already running: segment {index}.", kind="changed")


@command("end", "End the session.", live=True)
async def end(call: Invocation) -> Reply:
    """Close the session for good."""
    session, changed = await _move(call, "end", ended)
    if not changed:
        return Reply(f"Already ended, {ago(session.updated_at, call.arrived)}.", kind="changed")
    totals = await call.services.store.totals(session)
    marks = f"{counted(totals.marks, 'mark')} by {counted(totals.people, 'person')}"
    text = f"Ended after {hms(session.running_seconds(call.arrived))}: {marks}. {_page(call, session)}"
    return Reply(text, kind="changed")


@command("session", "Say what is running, and since when.", live=True)
async def session(call: Invocation) -> Reply:
    """Title, state, segment, running time and marks so far; who may not see a private one still knows if it runs.

    Whoever sees a private one is told alone, where the platform can.
    """
    current = await _newest_session(call)
    segment = current.segments[-1]
    state = {Status.ACTIVE: "Running", Status.PAUSED: "Paused", Status.ENDED: "Ended"}[current.status]
    in_all = f"{hms(current.running_seconds(call.arrived))} in all"
    as_of = f"{current.id} {segment.index}"
    if not may_see(call.heard.role, current.channel):
        return Reply(f"{state}, {in_all}. {PRIVATE}", same=f"{state} {as_of}")
    names = [f"{state}: {call.quoted(current.name)}", *([call.quoted(current.game)] if current.game else [])]
    totals = await call.services.store.totals(current)
    words = [
        *names,
        f"segment {segment.index} at {hms(segment.seconds(call.arrived))}",
        in_all,
        f"{counted(totals.marks, 'mark')} by {counted(totals.people, 'person')}",
    ]
    private = current.channel.visibility is Visibility.PRIVATE and call.heard.platform.private_replies
    return Reply(" · ".join(words), private, same=" ".join([*names, as_of]))


async def start_afresh(store: Store, place: Place, now: datetime) -> None:
    """Leave the channel's earlier sessions and paces aside for what follows: a log tells a time of its own."""

    async def apply(transaction: Transaction) -> None:
        await transaction.start_afresh(place)

    await store.run(apply, message=None, now=now)


async def end_open_session(store: Store, place: Place, now: datetime) -> None:
    """End the channel's session if one is open, without a word: its log is over."""

    async def apply(transaction: Transaction) -> None:
        live = await transaction.live(place)
        over = None if live.session is None else ended(live.session, now)
        if over is not None:
            await transaction.save_session(place, over)

    await store.run(apply, message=None, now=now)


async def current_session(call: Invocation) -> Session:
    """The channel's newest session; NotFound when there is none, Refusal when the caller may not be told of it."""
    found = await _newest_session(call)
    if not may_see(call.heard.role, found.channel):
        raise Refusal(PRIVATE)
    return found


async def _newest_session(call: Invocation) -> Session:
    found = await call.services.store.newest_session(*call.heard.place[:2])
    if found is None:
        raise NotFound(NOT_LIVE)
    return found


async def _move(call: Invocation, act: str, rule: Rule) -> tuple[Session, bool]:
    """Apply a rule to the channel's session; the session now, and whether the rule changed it.

    What is so already is the moderator's from now on, whatever the stream's end did.
    """

    async def apply(transaction: Transaction) -> tuple[Session, bool]:
        live = await transaction.live(call.heard.place)
        moved = rule(live.session, call.arrived)
        if moved is None:
            if live.session is None:
                raise NotFound(NOT_LIVE)
            await streams.taken_over(transaction, live.channel.id)
            return live.session, False
        return await _save(call, transaction, moved, act), True

    return await call.write(apply)


async def _save(call: Invocation, transaction: Transaction, session: Session, act: str) -> Session:
    """Store what a moderator made of a session; what it opened belongs to the stream that is on the air."""
    before = (await transaction.live(call.heard.place)).session
    state = await streams.state(transaction, session.channel.id)
    saved = await transaction.save_session(call.heard.place, on_stream(session, state.live_id if state else None))
    await streams.taken_over(transaction, saved.channel.id)
    was = before.status if before is not None and before.row_id == saved.row_id else ""
    await note(call, transaction, saved.channel, act, session_id=saved.id, before=was, after=saved.status)
    return saved


def _page(call: Invocation, session: Session) -> str:
    return call.services.link(f"/s/{session.id}")
