"""What the writer knows without asking the disk, and how it is read from there."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from moments.crowd import CrowdIndex, Point
from moments.live import Author, LiveChannel, MarkRequest, Place
from moments.people import Account
from moments.sessions import Channel, Defaults
from storage import rows
from storage._sqlite import Connection, from_microseconds, scalar, to_microseconds

Message = tuple[str, str]
"""A message as platforms know it: (platform, message id)."""
Row = tuple[int, int]
"""A mark as the store knows it: (session row, number)."""

CHANNELS_REMEMBERED = 500
ACCOUNTS_REMEMBERED = 100_000
MESSAGES_REMEMBERED = timedelta(days=7)
"""How long a message that made no mark is known again when it is delivered again."""

_IN_SIZES = (1, 4, 32, 256, 1024)
_MADE_A_MARK = "SELECT source_message_id, session_id, number FROM mark WHERE platform = ? AND source_message_id IN "
_HANDLED = "SELECT message_id FROM handled_message WHERE platform = ? AND message_id IN "
_ACCOUNTS = "SELECT user_id, id, person_id, display_name FROM account WHERE platform = ? AND user_id IN "
_NEXT_ACCOUNT = "SELECT 1 + max((SELECT coalesce(max(id), 0) FROM account), (SELECT coalesce(max(id), 0) FROM person))"
_CHANNEL = f"SELECT {rows.CHANNEL} FROM channel WHERE platform = ? AND platform_id = ?"  # noqa: S608 -- constants only
_NEWEST_SESSION = (
    f"SELECT {rows.SESSION}, session.last_number FROM session JOIN channel ON channel.id = session.channel_id"  # noqa: S608 -- constants only
    " WHERE channel_id = ? ORDER BY session.id DESC LIMIT 1"
)
_SEGMENTS = f"SELECT {rows.SEGMENT} FROM segment WHERE session_id = ? ORDER BY segment_index"  # noqa: S608 -- constants only
_MARKS_BY_PERSON = (
    "SELECT account.person_id, count(*)"
    " FROM mark JOIN account ON account.id = mark.account_id WHERE session_id = ? GROUP BY account.person_id"
)
# Of the last two sessions, since a cooldown may begin in one and end in the next. What the one before has from after
# the newest began was told beside it, by a log.
_LAST_ACCEPTED = (
    "WITH newest AS (SELECT id, created_at FROM session WHERE channel_id = ? ORDER BY id DESC LIMIT 2)"
    " SELECT person_id, max(instant) FROM ("
    " SELECT account.person_id, mark.instant FROM mark JOIN account ON account.id = mark.account_id"
    " WHERE mark.session_id IN (SELECT id FROM newest) AND (mark.session_id = (SELECT max(id) FROM newest)"
    " OR mark.instant <= (SELECT created_at FROM newest ORDER BY id DESC LIMIT 1))"
    " UNION ALL SELECT person_id, last_accepted FROM pace WHERE channel_id = ?) AS paces GROUP BY person_id"
)
_MARKS_OF_ACCOUNT = (
    "SELECT segment_index, offset_seconds, number, hidden_by IS NULL FROM mark WHERE session_id = ? AND account_id = ?"
)
_BARRED = "SELECT platform, user_id FROM barred WHERE channel_id = ?"
_OLD_MESSAGES = "DELETE FROM handled_message WHERE handled_at < ?"
_POINTS = (
    "SELECT segment_index, offset_seconds, number, account.person_id"
    " FROM mark JOIN account ON account.id = mark.account_id"
    " WHERE session_id = ? AND segment_index = ? AND hidden_by IS NULL ORDER BY offset_seconds, number"
)
# CROSS: from the person's accounts to their marks. The other way round, all marks of the session would be looked at.
_OWN_POINTS = (
    "SELECT segment_index, offset_seconds, number, account.person_id"
    " FROM account CROSS JOIN mark ON mark.account_id = account.id"
    " WHERE session_id = ? AND account.person_id = ? AND hidden_by IS NULL"
)


class Memory:
    """The busy channels and their people. Thrown away whenever the disk may know better.

    What is read is what the connection's transaction has written so far: gathered rows must be flushed before.
    """

    def __init__(self, connection: Connection, defaults: Defaults) -> None:
        self.channels: OrderedDict[tuple[str, str], LiveChannel] = OrderedDict()
        self.accounts: dict[tuple[str, str], Account] = {}
        self.next_account = 0
        """The id of the next account and person; 0 while it is not known."""
        self._connection = connection
        self._defaults = defaults
        self._swept: datetime | None = None

    def clear(self) -> None:
        """Know nothing."""
        self.channels.clear()
        self.accounts.clear()
        self.next_account = 0

    async def repeated(self, messages: Iterable[Message]) -> dict[Message, Row | None]:
        """Which of these messages came before: with the mark each made, or None when it made none."""
        found: dict[Message, Row | None] = {}
        for platform, ids in _by_platform(messages):
            for message_id, session_row, number in await self._in(_MADE_A_MARK, platform, ids):
                found[platform, message_id] = (session_row, number)
            for (message_id,) in await self._in(_HANDLED, platform, ids):
                found[platform, message_id] = None
        return found

    async def learn_authors(self, requests: Iterable[MarkRequest]) -> None:
        """Read the accounts of authors not met yet; who is in none of them has no account."""
        if len(self.accounts) > ACCOUNTS_REMEMBERED:
            self.accounts.clear()
        # Not a difference of sets: that would walk everybody we know.
        strangers = {who for who in (request.author[:2] for request in requests) if who not in self.accounts}
        for platform, users in _by_platform(strangers):
            for user, account, person, name in await self._in(_ACCOUNTS, platform, users):
                self.accounts[platform, user] = Account(account, person, platform, user, name)
        if not self.next_account:
            self.next_account = await scalar(self._connection, _NEXT_ACCOUNT)

    def stranger(self, author: Author) -> Account:
        """The account somebody without one would get."""
        return Account(self.next_account, self.next_account, *author)

    def meet(self, account: Account, author: Author) -> Account:
        """Know an account, under its present name, from now on."""
        account = replace(account, display_name=author.display_name)
        self.accounts[author[:2]] = account
        self.next_account = max(self.next_account, account.id + 1)
        return account

    def recall(self, place: Place) -> LiveChannel | None:
        """The channel, if it is known without asking the disk."""
        key = place[:2]
        known = self.channels.get(key)
        if known is not None:
            self.channels.move_to_end(key)
        return known

    async def channel(self, place: Place) -> LiveChannel:
        """The channel with its newest session; one that was never stored has the id 0."""
        known = self.recall(place)
        if known is None:
            known = self.channels[place[:2]] = await self._read_channel(place)
            if len(self.channels) > CHANNELS_REMEMBERED:
                self.channels.popitem(last=False)
        return known

    async def read_again(self, place: Place) -> None:
        """Learn what a channel we know chose and is called by now; who marked in its session is known all the same."""
        before = self.channels.get(place[:2])
        if before is not None:
            self.channels[place[:2]] = await self._read_channel(place, before)

    async def let_person_go(self, person: int, accounts: Iterable[tuple[str, str]]) -> None:
        """Know a person's marks, paces and accounts no more, and everybody else's as before.

        Asked for while the marks are still stored. Somebody who never marked is the person 0.
        """
        for live in list(self.channels.values()):
            if live.marks_by_person.pop(person, 0):
                await self._uncount(live, person)
            live.last_accepted.pop(person, None)
            for account in accounts:
                live.silenced.pop(account, None)
        for account in accounts:
            self.accounts.pop(account, None)

    async def account_moved(self, account: Account, person: int, *, stays: bool) -> None:
        """Know an account's marks as another person's; everybody else's are not read again.

        Asked for when that is stored. The pace it had goes with it, and `stays` with those it leaves, if it leaves any.
        """
        self.accounts.pop((account.platform, account.user_id), None)
        self.next_account = 0  # a person may have been created
        for live in self.channels.values():
            paces = live.last_accepted
            before = paces.get(account.person_id) if stays else paces.pop(account.person_id, None)
            if before is not None:
                paces[person] = max(before, paces.get(person, before))
            if account.person_id in live.marks_by_person:
                await self._move_marks(live, account, person)

    async def _move_marks(self, live: LiveChannel, account: Account, person: int) -> None:
        marks = await self._fetch(_MARKS_OF_ACCOUNT, _session_row(live), account.id)
        live.marks_by_person[account.person_id] -= len(marks)
        live.marks_by_person[person] += len(marks)
        shown = [Point(index, at, number, account.person_id) for index, at, number, visible in marks if visible]
        uncount(live.crowds, shown)
        for point in shown:
            if point.segment_index in live.crowds:
                live.crowds[point.segment_index].add(point.offset_seconds, point.number, person)

    async def let_old_messages_go(self, now: datetime) -> None:
        """Once a day, drop what is known of messages that nobody delivers again."""
        if self._swept is None or not timedelta(0) <= now - self._swept < timedelta(days=1):
            self._swept = now
            await self._connection.execute(_OLD_MESSAGES, (to_microseconds(now - MESSAGES_REMEMBERED),))

    async def learn_crowd(self, live: LiveChannel, segment_index: int) -> None:
        """Read who marked where in one segment of the channel's session."""
        points = await self._fetch(_POINTS, _session_row(live), segment_index)
        live.load_crowd(segment_index, [Point(*point) for point in points])

    async def _uncount(self, live: LiveChannel, person: int) -> None:
        if live.session is not None and live.crowds:
            uncount(live.crowds, [Point(*row) for row in await self._fetch(_OWN_POINTS, live.session.row_id, person)])

    async def _read_channel(self, place: Place, before: LiveChannel | None = None) -> LiveChannel:
        found = await self._fetch(_CHANNEL, *place[:2])
        channel = next(map(rows.channel, found), None) or Channel(0, *place)
        barred = frozenset(tuple(row) for row in await self._fetch(_BARRED, channel.id))
        live = LiveChannel(channel, channel.seconds(self._defaults), barred=barred)
        for *session, last_number in await self._fetch(_NEWEST_SESSION, channel.id):
            live.session = rows.session(session, await self._fetch(_SEGMENTS, session[0]))
            live.last_number = last_number
        if before is not None:
            live.silenced = before.silenced
        same = before if before is not None and _session_row(before) == _session_row(live) else None
        await self._learn_people(live, same)
        return live

    async def _learn_people(self, live: LiveChannel, before: LiveChannel | None) -> None:
        """Who marked in the channel's session and when; from what was known before of the same session, where it can.

        Crowds of another window are others. Of many paces, those past the cooldown were forgotten: a longer one
        asks for them again.
        """
        if before is not None:
            live.marks_by_person = before.marks_by_person
            if live.seconds.crowd_window_seconds == before.seconds.crowd_window_seconds:
                live.crowds = before.crowds
        else:
            row = _session_row(live)
            live.marks_by_person.update(dict(await self._fetch(_MARKS_BY_PERSON, row)))
        if before is not None and live.cooldown <= before.cooldown:
            live.last_accepted, live.most_paces = before.last_accepted, before.most_paces
        else:
            for person, last in await self._fetch(_LAST_ACCEPTED, live.channel.id, live.channel.id):
                live.last_accepted[person] = from_microseconds(last)

    async def _in(self, sql: str, platform: str, values: Sequence[str]) -> list[Any]:
        """Rows of `… IN (values)`, in few statement shapes so that SQLite need not parse each anew."""
        found: list[Any] = []
        for start in range(0, len(values), _IN_SIZES[-1]):
            some = values[start : start + _IN_SIZES[-1]]
            size = next(size for size in _IN_SIZES if size >= len(some))
            padded = [*some, *[some[-1]] * (size - len(some))]
            found += await self._fetch(f"{sql}({', '.join('?' * size)})", platform, *padded)
        return found

    async def _fetch(self, sql: str, *parameters: object) -> list[Any]:
        return list(await self._connection.execute_fetchall(sql, parameters))


def uncount(crowds: Mapping[int, CrowdIndex], marks: Iterable[Point]) -> None:
    """Take marks out of the crowds that are known, by segment."""
    for segment_index, some in groupby(sorted(marks), key=lambda mark: mark.segment_index):
        if segment_index in crowds:
            crowds[segment_index].remove_all(mark[1:] for mark in some)


def _session_row(live: LiveChannel) -> int:
    return live.session.row_id if live.session else 0


def _by_platform(keys: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    ordered = sorted(keys)
    return [(platform, [value for _, value in some]) for platform, some in groupby(ordered, key=lambda key: key[0])]
