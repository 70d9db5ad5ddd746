"""One transaction of the writer: beside the marks of its batch, whatever else a job may do."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from moments.crowd import CrowdIndex, Point
from moments.errors import Repeated
from moments.live import Author, LiveChannel, Place
from moments.marks import Timestamp
from moments.people import Account
from moments.sessions import Channel, Segment, Session
from storage import counts, ledger, rows
from storage._sqlite import to_microseconds
from storage.batch import Batch, Change
from storage.ledger import SPEND_MESSAGES, account_key
from storage.memory import Message, uncount
from storage.own import PERSONS

T = TypeVar("T")

MOST_TOLD_SINGLY = 50
"""Marks that went at once; of more, whoever watches is told to read afresh."""

_REVISE = "UPDATE session SET revision = revision + 1 WHERE id = ?"
_REVISE_NEWEST = (
    "UPDATE session SET revision = revision + 1 WHERE id = (SELECT session.id FROM session"
    " JOIN channel ON channel.id = session.channel_id WHERE platform = ? AND platform_id = ?"
    " ORDER BY session.id DESC LIMIT 1) RETURNING public_id"
)
_KEEP_PACE = (
    "INSERT INTO pace (channel_id, person_id, last_accepted) VALUES (?, ?, ?) ON CONFLICT (channel_id, person_id)"
    " DO UPDATE SET last_accepted = excluded.last_accepted WHERE excluded.last_accepted > pace.last_accepted"
)
_SAVE_SETTINGS = f"UPDATE channel SET ({rows.CHANNEL_SETTINGS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?"  # noqa: S608 -- constants only
_LET_PACE_GO = "DELETE FROM pace WHERE person_id = ? AND NOT EXISTS (SELECT 1 FROM account WHERE account.person_id = ?)"
_REVISE_SESSIONS_OF = (
    "UPDATE session SET revision = revision + 1"
    " WHERE id IN (SELECT session_id FROM mark WHERE account_id = ?) RETURNING public_id"
)
_ACCOUNTS_OF_PERSON = f"SELECT id, person_id, platform, user_id FROM account WHERE id IN ({PERSONS})"  # noqa: S608 -- constants only


class Forgotten(NamedTuple):
    """What a forgotten person had."""

    marks: int
    accounts: int
    saves: int = 0


class Transaction(Batch):
    """What a job may do between BEGIN and COMMIT."""

    async def alone(self, job: Callable[["Transaction"], Awaitable[T]], message: Message | None, now: datetime) -> T:
        """Run a job behind a savepoint: if it raises, only it is undone. Raises Repeated for a known message."""
        await self.flush()
        if message:
            self._repeated |= await self._memory.repeated([message])
            if message in self._repeated:
                raise Repeated("That message was handled before.")
        announced, written = len(self.changes), self._connection.total_changes
        self._edited = None
        await self._connection.execute("SAVEPOINT job")
        try:
            result = await job(self)
            await self.flush()
            if message:
                await self._remember_message(message, now)
        except sqlite3.Error:
            raise  # the whole transaction is lost
        except (Exception, asyncio.CancelledError):
            if self._connection.total_changes != written or self._touched:
                self._memory.clear()  # a refusal that wrote nothing leaves what we know as it was
            await self._connection.execute("ROLLBACK TO job")
            await self._connection.execute("RELEASE job")
            self._touched.clear()
            del self.changes[announced:]
            raise
        await self._connection.execute("RELEASE job")
        return result

    async def start_afresh(self, place: Place) -> None:
        """Go on as if the channel had no session yet and nobody had marked: a log tells a time of its own."""
        live = await self.live(place)
        self._memory.channels[place[:2]] = LiveChannel(live.channel, live.seconds, barred=live.barred)

    async def save_session(self, place: Place, session: Session) -> Session:
        """Store a session that a rule has moved on, or a new one (row_id 0); it is the channel's newest from now on."""
        live = await self.live(place)
        before = live.session.segments if live.session and session.row_id else ()
        channel = await self._save_channel(live.channel, place)
        if session.row_id:
            await self._connection.execute(
                "UPDATE session SET status = ?, updated_at = ?, revision = revision + 1 WHERE id = ?",
                (session.status, to_microseconds(session.updated_at), session.row_id),
            )
        else:
            session = replace(session, row_id=await self._insert_session(session, channel), channel=channel)
            # A cooldown may begin in one session and end in the next; one that a log tells beside it does not count.
            paces = {who: when for who, when in live.last_accepted.items() if when <= session.created_at}
            live = LiveChannel(channel, live.seconds, last_accepted=paces, barred=live.barred)
            self._memory.channels[place[:2]] = live
        await self._save_segments(session, [segment for segment in session.segments if segment not in before])
        live.session = session
        self.changes.append(Change("session", session.id))
        return session

    async def save_settings(self, place: Place, channel: Channel) -> Channel:
        """Store what a channel chose, and the channel itself if it is new; whoever shows it reads afresh."""
        saved = replace(channel, id=(await self._save_channel(channel, place)).id, display_name=place.display_name)
        await self.execute(_SAVE_SETTINGS, *rows.settings_values(saved), saved.id)
        await self.let_channel_go(place)
        return saved

    async def save_vod_shift(self, place: Place, session: Session) -> None:
        """Store how far the session's marks are moved in the VOD."""
        await self.execute(
            "UPDATE session SET vod_shift_seconds = ?, revision = revision + 1 WHERE id = ?",
            *(session.vod_shift_seconds, session.row_id),
        )
        await self.let_channel_go(place)

    async def let_channel_go(self, place: Place) -> None:
        """Know the channel as it is stored by now, and tell whoever watches its newest session.

        Who marked there is not read again: a session may hold very many marks, and all channels share the writer.
        """
        for (session_id,) in await self.fetch(_REVISE_NEWEST, *place[:2]):
            self.changes.append(Change("session", session_id))
        await self._memory.read_again(place)

    async def change_mark(
        self, place: Place, before: Timestamp, after: Timestamp, now: datetime, *, reworded: bool = False
    ) -> int:
        """Store a mark that was shifted, re-worded or hidden; how many people are in its crowd moment now.

        A message that re-worded it is remembered with it: deleting that message hides the mark (design.md §8).
        """
        live, session_row = await self._touch(place, now)
        await self._connection.execute(
            "UPDATE mark SET offset_seconds = ?, adjust_seconds = ?, note = ?, hidden_by = ?, hidden_reason = ?"
            " WHERE session_id = ? AND number = ?",
            (
                *(after.offset_seconds, after.adjust_seconds, after.note, after.hidden_by, after.hidden_reason),
                *(session_row, before.number),
            ),
        )
        if reworded:
            self._edited = (session_row, before.number)
        crowd = await self._crowd(live, before.segment_index)
        crowd.remove(before.offset_seconds, before.number, before.person_id)
        if after.hidden_by is not None:
            self.changes.append(Change("removed", after.session_id, number=after.number))
            return 0
        people = crowd.add(after.offset_seconds, after.number, after.person_id)
        self._tell(live, after, people)
        return people

    async def hide_mark(self, place: Place, mark: Timestamp, by: Author, reason: str, now: datetime) -> None:
        """Take a mark out of everyone's sight; it stays, with who did it and why."""
        await self.change_mark(place, mark, mark._replace(hidden_by=account_key(by), hidden_reason=reason), now)

    async def marks_went(self, place: Place, session_row: int, session_id: str, marks: Sequence[Point]) -> None:
        """Count and show marks no more that a statement has hidden, in whichever of the channel's sessions."""
        uncount(await self._loaded_crowds(place, session_row), marks)
        if len(marks) > MOST_TOLD_SINGLY:
            self.changes.append(Change("stale", session_id))
        else:
            self.changes += [Change("removed", session_id, number=mark.number) for mark in marks]
        await self.execute(_REVISE, session_row)

    async def mark_came_back(self, place: Place, session_row: int, mark: Timestamp) -> None:
        """Count and show a mark again that a statement has restored."""
        crowd = (await self._loaded_crowds(place, session_row)).get(mark.segment_index)
        if crowd is None:  # nobody counts there any more: whoever shows it reads afresh
            self.changes.append(Change("stale", mark.session_id))
        else:
            people = crowd.add(mark.offset_seconds, mark.number, mark.person_id)
            self._tell(await self.live(place), mark, people)
        await self.execute(_REVISE, session_row)

    async def spend_message(self, message: Message, now: datetime) -> None:
        """Whatever this message would do when it arrives, it does not: it was taken back on its way."""
        if not await self._memory.repeated([message]):
            self._edited = None
            await self._remember_message(message, now)

    async def remove_mark(self, place: Place, mark: Timestamp, now: datetime) -> None:
        """Delete a mark for good; its number is not used again and its message makes no other."""
        live, session_row = await self._touch(place, now)
        key = (session_row, mark.number)
        await self._connection.execute(f"{SPEND_MESSAGES} session_id = ? AND number = ?", (to_microseconds(now), *key))
        await self._connection.execute("DELETE FROM mark WHERE session_id = ? AND number = ?", key)
        self._edited = None
        crowd = await self._crowd(live, mark.segment_index)
        crowd.remove(mark.offset_seconds, mark.number, mark.person_id)
        live.marks_by_person[mark.person_id] -= 1
        await self._connection.execute(_KEEP_PACE, (live.channel.id, mark.person_id, to_microseconds(mark.instant)))
        self.changes.append(Change("removed", mark.session_id, number=mark.number))

    async def keep_pace(self, place: Place, person: int, instant: datetime) -> None:
        """Let somebody's cooldown count from what is no mark; in a channel never stored, while it is remembered."""
        live = await self.live(place)
        if live.channel.id:
            await self.execute(_KEEP_PACE, live.channel.id, person, to_microseconds(instant))
        live.accepted(person, instant)

    async def forget(self, author: Author, digest: Callable[[str, str], str], now: datetime) -> Forgotten:
        """Delete a person with every account and mark.

        Each account's digest, of its platform and user id, goes into the ledger that restored backups obey.
        """
        await self.flush()
        at = to_microseconds(now)
        known = list(await self._fetch(_ACCOUNTS_OF_PERSON, author[:2]))
        await ledger.merge(self._connection, {digest(platform, user): at for _, _, platform, user in known})
        own = {author[:2], *((platform, user) for _, _, platform, user in known)}
        await self._memory.let_person_go(known[0][1] if known else 0, own)
        marks = saves = 0
        for account, person, _, _ in known:
            gone = await ledger.forget_account(self._connection, account, now=at)
            marks += gone.marks
            saves += gone.saves
            self.changes += [Change("stale", session_id) for session_id in gone.sessions]
            await ledger.forget_person(self._connection, person)
        if not known:  # never marked here, and may be logged in or connected all the same
            await ledger.merge(self._connection, {digest(*author[:2]): at})
            await ledger.forget_traces(self._connection, *author[:2], now=at)
        return Forgotten(marks, len(known), saves)

    # --- accounts and people

    async def account(self, author: Author) -> Account:
        """Somebody's account under their present name; a stranger gets one."""
        known = self._memory.accounts.get(author[:2])
        if known is None:
            await self.flush()
            found = await self._fetch(
                "SELECT id, person_id FROM account WHERE (platform, user_id) = (?, ?)", author[:2]
            )
            known = next((Account(row, person, *author[:2], "") for row, person in found), None)
            if known is None:
                await self._memory.learn_authors(())  # which id is the next
                known = replace(self._memory.stranger(author), display_name="")  # in no row yet
        if not known.display_name or known.display_name != author.display_name:
            known = self._accounts[known.id] = self._memory.meet(known, author)
            await self.flush()
        return known

    async def move_account(self, account: Account, person: int | None) -> Account:
        """Let an account be another person's, or nobody else's (None): all counts follow, as if it had always been."""
        await self.flush()
        parts = person is None
        if person is None:
            created = await self._fetch("INSERT INTO person DEFAULT VALUES RETURNING id")
            person = int(next(iter(created))[0])
        target = person
        await self.together(lambda connection: counts.move_account(connection, account.id, target))
        left = (account.person_id, account.person_id)
        await self._connection.execute(_LET_PACE_GO, left)
        await ledger.forget_person(self._connection, account.person_id)
        for (session_id,) in await self._fetch(_REVISE_SESSIONS_OF, (account.id,)):
            self.changes.append(Change("stale", session_id))
        await self._memory.account_moved(account, target, stays=parts)
        return replace(account, person_id=target)

    async def _remember_message(self, message: Message, now: datetime) -> None:
        self._repeated[message] = None
        await self._memory.let_old_messages_go(now)
        await self._connection.execute(
            "INSERT INTO handled_message (platform, message_id, session_id, number, handled_at) VALUES (?, ?, ?, ?, ?)",
            (*message, *(self._edited or (None, None)), to_microseconds(now)),
        )

    async def _touch(self, place: Place, now: datetime) -> tuple[LiveChannel, int]:
        live = await self.live(place)
        if live.session is None:
            raise LookupError("a mark without a session")
        self._touched[live.session.row_id] = (live, now)
        return live, live.session.row_id

    async def _loaded_crowds(self, place: Place, session_row: int) -> dict[int, CrowdIndex]:
        """The crowds that are counted in memory, by segment: none unless it is the channel's newest session."""
        live = await self.live(place)
        return live.crowds if live.session is not None and live.session.row_id == session_row else {}

    async def _save_channel(self, channel: Channel, place: Place) -> Channel:
        if not channel.id:
            created = await self._fetch(
                "INSERT INTO channel (platform, platform_id, display_name) VALUES (?, ?, ?) RETURNING id", place
            )
            return replace(channel, id=next(iter(created))[0])
        if channel.display_name != place.display_name:
            await self._connection.execute(
                "UPDATE channel SET display_name = ? WHERE id = ?", (place.display_name, channel.id)
            )
        return replace(channel, display_name=place.display_name)

    async def _insert_session(self, session: Session, channel: Channel) -> int:
        created = await self._fetch(
            "INSERT INTO session (public_id, channel_id, title, game, status, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                *(session.id, channel.id, session.title, session.game, session.status),
                *(to_microseconds(session.created_at), to_microseconds(session.updated_at)),
            ),
        )
        return int(next(iter(created))[0])

    async def _save_segments(self, session: Session, segments: Sequence[Segment]) -> None:
        await self._connection.executemany(
            "INSERT INTO segment (session_id, segment_index, start_time, end_time, created_at, stream_id)"
            " VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (session_id, segment_index)"
            " DO UPDATE SET end_time = excluded.end_time, stream_id = excluded.stream_id",
            [
                (
                    *(session.row_id, segment.index, to_microseconds(segment.start_time)),
                    None if segment.end_time is None else to_microseconds(segment.end_time),
                    *(to_microseconds(segment.created_at or session.updated_at), segment.stream_id),
                )
                for segment in segments
            ],
        )
