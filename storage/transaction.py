"""One transaction of the writer: marks gathered and inserted together, everything else statement by statement."""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple, TypeVar

from moments.crowd import CrowdIndex, Point
from moments.errors import MomentsError
from moments.live import Author, LiveChannel, Marked, MarkRequest, Place
from moments.marks import Timestamp
from moments.people import Account
from moments.sessions import Channel, Defaults, Segment, Session
from storage import rows
from storage._sqlite import Connection, from_microseconds, scalar, to_microseconds
from storage.ledger import NOBODY, SPEND_MESSAGES

T = TypeVar("T")
Message = tuple[str, str]
"""A message as platforms know it: (platform, message id)."""

CHANNELS_REMEMBERED = 100
ACCOUNTS_REMEMBERED = 100_000

_INSERT_MARK = f"INSERT INTO mark ({rows.MARK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants only
_TOUCH_SESSION = "UPDATE session SET last_number = ?, revision = revision + 1, updated_at = ? WHERE id = ?"


class Repeated(MomentsError):
    """The very same message was handled before; it is answered no second time."""


class Change(NamedTuple):
    """Something watchers of a session may want to know, once it is durable."""

    kind: Literal["timestamp", "removed", "session", "stale"]
    session_id: str
    mark: Timestamp | None = None
    people: int = 1
    number: int | None = None


class Forgotten(NamedTuple):
    """What a forgotten person had."""

    marks: int
    accounts: int


@dataclass(slots=True)
class Memory:
    """What the writer knows without asking the disk. Thrown away whenever the disk may know better."""

    channels: OrderedDict[tuple[str, str], LiveChannel] = field(default_factory=OrderedDict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    next_account: int = 0

    def clear(self) -> None:
        """Know nothing."""
        self.channels.clear()
        self.accounts.clear()
        self.next_account = 0


class Transaction:
    """What a job may do between BEGIN and COMMIT."""

    def __init__(self, connection: Connection, defaults: Defaults, memory: Memory) -> None:
        self.changes: list[Change] = []
        self.marks_added = 0
        self._connection = connection
        self._defaults = defaults
        self._memory = memory
        self._asked: Sequence[MarkRequest] = ()
        self._repeated: dict[Message, Row | None] = {}
        self._new_accounts: list[Account] = []
        self._new_marks: list[tuple[object, ...]] = []
        self._touched: dict[int, tuple[LiveChannel, datetime]] = {}
        self._edited: tuple[int, int] | None = None

    # --- marks, many at a time

    async def look_ahead(self, requests: Sequence[MarkRequest]) -> None:
        """Ask the disk once for the whole batch: which messages came before, and who the authors are."""
        messages = {(r.author.platform, r.message_id) for r in requests if r.message_id}
        for platform, ids in _by_platform(messages):
            await self._find_repeated(platform, ids)
        self._asked = requests
        await self._find_authors(requests)

    async def _find_authors(self, requests: Sequence[MarkRequest]) -> None:
        strangers = {r.author[:2] for r in requests} - self._memory.accounts.keys()
        for platform, users in _by_platform(strangers):
            for row in await self._in(
                "SELECT user_id, id, person_id, display_name FROM account WHERE platform = ? AND user_id IN ",
                platform,
                users,
            ):
                self._memory.accounts[platform, row[0]] = Account(row[1], row[2], platform, row[0], row[3])
        if strangers and not self._memory.next_account:
            highest = "SELECT coalesce(max(id), 0) FROM "
            self._memory.next_account = 1 + max(
                await scalar(self._connection, highest + "account"), await scalar(self._connection, highest + "person")
            )

    async def mark(self, request: MarkRequest) -> Marked:
        """Accept one mark, or answer a repeated message with the mark it made. The rows are written by flush()."""
        message = (request.author.platform, request.message_id) if request.message_id else None
        if message in self._repeated:
            return await self._marked_before(request, message)
        live = self._memory.channels.get(request.place[:2]) or await self.live(request.place)
        segment = live.segment_for(request)
        if segment.index not in live.crowds:
            await self._load_crowd(live, segment.index)
        if not self._memory.next_account:  # a job of this batch has made us forget everybody
            await self.flush()
            await self._find_authors(self._asked)
        account, is_new = self._account(request.author)
        marked = live.accept(request, segment, account)
        session_row = live.session.row_id if live.session else 0
        if is_new:
            self._memory.next_account += 1
            self._memory.accounts[request.author[:2]] = account
            self._new_accounts.append(account)
        if message:
            self._repeated[message] = (session_row, marked.mark.number)
        self._new_marks.append(rows.mark_values(session_row, account.id, marked.mark, request))
        self._touched[session_row] = (live, request.arrived)
        self.changes.append(Change("timestamp", marked.mark.session_id, marked.mark, marked.people))
        self.marks_added += 1
        return marked

    async def flush(self, *, commit: bool = False) -> None:
        """Write what has been gathered, so that a statement of its own may follow; or commit it, then it is durable."""
        if not (commit or self._new_accounts or self._new_marks or self._touched):
            return
        accounts, self._new_accounts = self._new_accounts, []
        marks, self._new_marks = self._new_marks, []
        touched, self._touched = self._touched, {}

        def write(connection: sqlite3.Connection) -> None:
            if accounts:
                connection.executemany("INSERT INTO person (id) VALUES (?)", [(a.person_id,) for a in accounts])
                connection.executemany(
                    "INSERT INTO account (id, person_id, platform, user_id, display_name) VALUES (?, ?, ?, ?, ?)",
                    [(a.id, a.person_id, a.platform, a.user_id, a.display_name) for a in accounts],
                )
            connection.executemany(_INSERT_MARK, marks)
            connection.executemany(
                _TOUCH_SESSION,
                [(live.last_number, to_microseconds(at), row) for row, (live, at) in touched.items()],
            )
            if commit:
                connection.execute("COMMIT")

        await self._connection.together(write)

    # --- everything else, one job at a time

    async def alone(self, job: Callable[["Transaction"], Awaitable[T]], message: Message | None, now: datetime) -> T:
        """Run a job behind a savepoint: if it raises, only it is undone. Raises Repeated for a known message."""
        await self.flush()
        if message:
            await self._find_repeated(message[0], [message[1]])
            if message in self._repeated:
                raise Repeated("That message was handled before.")
        announced = len(self.changes)
        self._edited = None
        await self._connection.execute("SAVEPOINT job")
        try:
            result = await job(self)
            await self.flush()
            if message:
                await self._remember_message(message, now)
        except (sqlite3.Error, asyncio.CancelledError):
            raise  # the whole transaction is lost
        except Exception:
            await self._connection.execute("ROLLBACK TO job")
            await self._connection.execute("RELEASE job")
            self._memory.clear()
            self._touched.clear()
            del self.changes[announced:]
            raise
        await self._connection.execute("RELEASE job")
        return result

    async def live(self, place: Place) -> LiveChannel:
        """The channel as it is now; one that was never stored has the id 0."""
        known = self._memory.channels.get(place[:2])
        if known is None:
            known = self._memory.channels[place[:2]] = await self._read_channel(place)
            if len(self._memory.channels) > CHANNELS_REMEMBERED:
                await self.flush()
                self._memory.channels.popitem(last=False)
        self._memory.channels.move_to_end(place[:2])
        return known

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
            live = LiveChannel(channel, live.seconds, last_accepted=live.last_accepted)
            self._memory.channels[place[:2]] = live
        await self._save_segments(session, [segment for segment in session.segments if segment not in before])
        live.session = session
        self.changes.append(Change("session", session.id))
        return session

    async def own_last_mark(self, place: Place, author: Author) -> Timestamp | None:
        """The author's newest visible mark of the channel's newest session."""
        return await self._find_mark(
            place,
            "account.platform = ? AND account.user_id = ? AND mark.hidden_by IS NULL ORDER BY number DESC LIMIT 1",
            author[:2],
        )

    async def mark_numbered(self, place: Place, number: int) -> Timestamp | None:
        """The visible mark with this number in the channel's newest session."""
        return await self._find_mark(place, "mark.number = ? AND mark.hidden_by IS NULL", (number,))

    async def change_mark(self, place: Place, before: Timestamp, after: Timestamp, now: datetime) -> int:
        """Store a mark that was shifted, re-worded or hidden; how many people are in its crowd moment now."""
        live, session_row = await self._touch(place, now)
        await self._connection.execute(
            "UPDATE mark SET offset_seconds = ?, adjust_seconds = ?, note = ?, hidden_by = ?, hidden_reason = ?"
            " WHERE session_id = ? AND number = ?",
            (
                *(after.offset_seconds, after.adjust_seconds, after.note, after.hidden_by, after.hidden_reason),
                *(session_row, before.number),
            ),
        )
        self._edited = (session_row, before.number)
        crowd = await self._crowd(live, before.segment_index)
        crowd.remove(before.offset_seconds, before.number, before.person_id)
        if after.hidden_by is not None:
            self.changes.append(Change("removed", after.session_id, number=after.number))
            return 0
        people = crowd.add(after.offset_seconds, after.number, after.person_id)
        self.changes.append(Change("timestamp", after.session_id, after, people))
        return people

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
        self.changes.append(Change("removed", mark.session_id, number=mark.number))

    async def forget(self, author: Author, digest: Callable[[str, str], str], now: datetime) -> Forgotten:
        """Delete a person with every account and mark.

        Each account's digest, of its platform and user id, goes into the ledger that restored backups obey.
        """
        at = to_microseconds(now)
        known = list(await self._fetch(_ACCOUNTS_OF_PERSON, author[:2]))
        await self._connection.executemany(
            "INSERT INTO forgotten (digest, forgotten_at) VALUES (?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET forgotten_at = excluded.forgotten_at"
            " WHERE excluded.forgotten_at > forgotten.forgotten_at",
            [(digest(platform, user), at) for _, platform, user in known],
        )
        await self._connection.executemany(
            "UPDATE mark SET hidden_by = ? WHERE hidden_by = ?",
            [(NOBODY, f"{platform}:{user}") for _, platform, user in known],
        )
        accounts = [row[0] for row in known]
        person = list(await self._fetch(_PERSON_OF, author[:2]))
        marks = 0
        for account in accounts:
            sessions = await self._fetch(
                "SELECT DISTINCT session.id, session.public_id FROM mark JOIN session ON session.id = mark.session_id"
                " WHERE mark.account_id = ?",
                (account,),
            )
            await self._connection.execute(f"{SPEND_MESSAGES} account_id = ?", (at, account))
            deleted = await self._connection.execute("DELETE FROM mark WHERE account_id = ?", (account,))
            marks += deleted.rowcount
            for session_row, session_id in sessions:
                await self._connection.execute(
                    "UPDATE session SET revision = revision + 1 WHERE id = ?", (session_row,)
                )
                self.changes.append(Change("stale", session_id))
            await self._connection.execute("DELETE FROM account WHERE id = ?", (account,))
        await self._connection.executemany("DELETE FROM person WHERE id = ?", person)
        self._memory.clear()
        return Forgotten(marks, len(accounts))

    # --- reading and writing rows

    async def _fetch(self, sql: str, parameters: Iterable[Any] = ()) -> Iterable[Any]:
        return await self._connection.execute_fetchall(sql, parameters)

    async def _in(self, sql: str, platform: str, values: Sequence[str]) -> list[Any]:
        """Rows of `… IN (values)`, in few statement shapes so that SQLite need not parse each anew."""
        found: list[Any] = []
        for start in range(0, len(values), _IN_SIZES[-1]):
            some = values[start : start + _IN_SIZES[-1]]
            size = next(size for size in _IN_SIZES if size >= len(some))
            padded = [*some, *[some[-1]] * (size - len(some))]
            found += await self._fetch(f"{sql}({', '.join('?' * size)})", (platform, *padded))
        return found

    async def _find_repeated(self, platform: str, ids: Sequence[str]) -> None:
        for message_id, session_row, number in await self._in(_MADE_A_MARK, platform, ids):
            self._repeated[platform, message_id] = (session_row, number)
        for (message_id,) in await self._in(_HANDLED, platform, ids):
            self._repeated[platform, message_id] = None

    async def _marked_before(self, request: MarkRequest, message: Message | None) -> Marked:
        made = self._repeated[message] if message else None
        live = await self.live(request.place)
        if made is None or live.session is None or live.session.row_id != made[0]:
            raise Repeated("That message was handled before.")
        await self.flush()
        mark = await self.mark_numbered(request.place, made[1])
        if mark is None:
            raise Repeated("That message was handled before.")
        await self._crowd(live, mark.segment_index)
        return live.crowd_of(mark)

    async def _remember_message(self, message: Message, now: datetime) -> None:
        self._repeated[message] = None
        await self._connection.execute(
            "INSERT INTO handled_message (platform, message_id, session_id, number, handled_at) VALUES (?, ?, ?, ?, ?)",
            (*message, *(self._edited or (None, None)), to_microseconds(now)),
        )

    def _account(self, author: Author) -> tuple[Account, bool]:
        account = self._memory.accounts.get(author[:2])
        if account is None:
            number = self._memory.next_account
            return Account(number, number, *author), True
        return account, False

    async def _find_mark(self, place: Place, condition: str, parameters: Sequence[Any]) -> Timestamp | None:
        live = await self.live(place)
        if live.session is None:
            return None
        found = await self._fetch(
            f"SELECT {rows.MARK} FROM mark JOIN account ON account.id = mark.account_id"  # noqa: S608 -- constants only
            f" WHERE mark.session_id = ? AND {condition}",
            (live.session.row_id, *parameters),
        )
        return next((rows.mark(live.session.id, row) for row in found), None)

    async def _touch(self, place: Place, now: datetime) -> tuple[LiveChannel, int]:
        live = await self.live(place)
        if live.session is None:
            raise LookupError("a mark without a session")
        self._touched[live.session.row_id] = (live, now)
        return live, live.session.row_id

    async def _crowd(self, live: LiveChannel, segment_index: int) -> CrowdIndex:
        if segment_index not in live.crowds:
            await self._load_crowd(live, segment_index)
        return live.crowds[segment_index]

    async def _load_crowd(self, live: LiveChannel, segment_index: int) -> None:
        await self.flush()
        points = await self._fetch(
            "SELECT segment_index, offset_seconds, number, account.person_id"
            " FROM mark JOIN account ON account.id = mark.account_id"
            " WHERE session_id = ? AND segment_index = ? AND hidden_by IS NULL ORDER BY offset_seconds, number",
            (live.session.row_id if live.session else 0, segment_index),
        )
        live.load_crowd(segment_index, [Point(*point) for point in points])

    async def _read_channel(self, place: Place) -> LiveChannel:
        await self.flush()
        found = await self._fetch(
            f"SELECT {rows.CHANNEL} FROM channel WHERE platform = ? AND platform_id = ?",  # noqa: S608 -- constants only
            place[:2],
        )
        channel = next(map(rows.channel, found), None) or Channel(0, *place)
        live = LiveChannel(channel, channel.seconds(self._defaults))
        newest = await self._fetch(
            f"SELECT {rows.SESSION}, session.last_number FROM session JOIN channel ON channel.id = session.channel_id"  # noqa: S608 -- constants only
            " WHERE channel_id = ? ORDER BY session.id DESC LIMIT 1",
            (channel.id,),
        )
        for row in newest:
            live.last_number = row[-1]
            segments = await self._fetch(
                f"SELECT {rows.SEGMENT} FROM segment WHERE session_id = ? ORDER BY segment_index",  # noqa: S608 -- constants only
                row[:1],
            )
            live.session = rows.session(row[:-1], segments)
            await self._read_people(live, row[0])
        return live

    async def _read_people(self, live: LiveChannel, session_row: int) -> None:
        people = await self._fetch(
            "SELECT account.person_id, count(*), max(mark.instant)"
            " FROM mark JOIN account ON account.id = mark.account_id WHERE session_id = ? GROUP BY account.person_id",
            (session_row,),
        )
        for person, marks, last in people:
            live.marks_by_person[person] = marks
            live.last_accepted[person] = from_microseconds(last)

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
            " ON CONFLICT (session_id, segment_index) DO UPDATE SET end_time = excluded.end_time",
            [
                (
                    *(session.row_id, segment.index, to_microseconds(segment.start_time)),
                    None if segment.end_time is None else to_microseconds(segment.end_time),
                    *(to_microseconds(session.updated_at), segment.stream_id),
                )
                for segment in segments
            ],
        )


Row = tuple[int, int]

_IN_SIZES = (1, 4, 32, 256, 1024)
_MADE_A_MARK = "SELECT source_message_id, session_id, number FROM mark WHERE platform = ? AND source_message_id IN "
_HANDLED = "SELECT message_id FROM handled_message WHERE platform = ? AND message_id IN "
_PERSON_OF = "SELECT person_id FROM account WHERE platform = ? AND user_id = ?"
_ACCOUNTS_OF_PERSON = f"SELECT id, platform, user_id FROM account WHERE person_id = ({_PERSON_OF})"  # noqa: S608 -- constants only


def _by_platform(keys: Iterable[tuple[str, str | None]]) -> list[tuple[str, list[str]]]:
    ordered = sorted((platform, value) for platform, value in keys if value is not None)
    return [(platform, [value for _, value in some]) for platform, some in groupby(ordered, key=lambda key: key[0])]
