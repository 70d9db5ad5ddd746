"""Counting saves exactly, at a cost that does not grow with their number.

A cell holds how many people have exactly one range on a track, an edge how coverage changes at a second. Both follow
from the rows of save, account and track alone: a person's saves on a track, whichever of their accounts and whichever
of its sources they are of, are folded in the order accepted (moments.saves). Whatever changes takes out what it
touches, changes it, and takes it in again, so that undoing anything restores exactly.

Everything here works on the thread of the connection that writes.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from moments.saves import Fold, Save, fold, union

Group = tuple[int, int]
"""(person, track); the track is one that is merged into no other."""

SOURCES_OF = (
    "SELECT track_source.id FROM track_source JOIN track ON track.id = track_source.track_id"
    " WHERE track.id = :track OR track.merged_into = :track"
)
_OF_GROUP = (
    "FROM save WHERE account_id IN (SELECT id FROM account WHERE person_id = :person)"  # noqa: S608 -- constants only
    f" AND track_source_id IN ({SOURCES_OF}) AND beyond = 0"
)
_COUNTED = f"SELECT id, start_seconds, end_seconds, words_id {_OF_GROUP} AND replaced_by IS NULL"
_ALL = f"SELECT id, start_seconds, end_seconds, note <> '', replaced_by, words_id {_OF_GROUP} ORDER BY id"
_ROOT = "coalesce(track.merged_into, track.id)"
_OF_ROOT = (
    "FROM save JOIN track_source ON track_source.id = save.track_source_id"
    " JOIN track ON track.id = track_source.track_id"
)
_ROOTS_OF_ACCOUNT = f"SELECT DISTINCT {_ROOT} {_OF_ROOT} WHERE save.account_id = ?"
_ROOTS_OF_OLD = f"{_ROOTS_OF_ACCOUNT} AND save.created_at <= ?"
_GROUP_OF = (
    f"SELECT account.person_id, {_ROOT} {_OF_ROOT} JOIN account ON account.id = save.account_id WHERE save.id = ?"
)
_MISMARKED = (
    "SELECT id FROM save WHERE track_source_id = :source AND beyond = 0 AND end_seconds > :seconds"
    " UNION ALL SELECT id FROM save WHERE track_source_id = :source AND beyond = 1 AND end_seconds <= :seconds"
)
_BEYOND = (
    f"SELECT DISTINCT account.person_id, {_ROOT} {_OF_ROOT} JOIN account ON account.id = save.account_id"
    f" WHERE save.id IN ({_MISMARKED})"
)
_MARK_BEYOND = (
    f"UPDATE save SET beyond = 1 - beyond, replaced_by = NULL, words_id = NULL, shown = 0 WHERE id IN ({_MISMARKED})"  # noqa: S608 -- constants only
)
_SETTLE = (
    "UPDATE save SET replaced_by = :by, words_id = :words, shown = CASE WHEN :by IS NULL AND private = 0 AND EXISTS ("
    " SELECT 1 FROM save AS words WHERE words.id = :words AND words.private = 0 AND words.hidden_by IS NULL"
    ") THEN 1 ELSE 0 END WHERE id = :id"
)
"""`shown` is whether everybody may read the words a save carries: neither it nor its words were typed in private."""
_WITH_REPLACED = (
    "WITH RECURSIVE gone (id) AS (SELECT CAST(? AS BIGINT)"
    " UNION ALL SELECT save.id FROM save JOIN gone ON save.replaced_by = gone.id)"
    " SELECT id, account_id FROM save WHERE id IN (SELECT id FROM gone)"
)
_SPEND = (
    "INSERT INTO handled_message (platform, message_id, handled_at)"
    " SELECT platform, source_message_id, ? FROM save WHERE source_message_id IS NOT NULL AND"
)
_SPENT = "ON CONFLICT (platform, message_id) DO NOTHING"
_MORE_PEOPLE = (
    "INSERT INTO cell (track_id, start_seconds, end_seconds, people) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (track_id, start_seconds, end_seconds) DO UPDATE SET people = cell.people + excluded.people"
)
_FEWER_PEOPLE = "UPDATE cell SET people = people - ? WHERE track_id = ? AND start_seconds = ? AND end_seconds = ?"
_NOBODY = "DELETE FROM cell WHERE track_id = ? AND start_seconds = ? AND end_seconds = ? AND people = 0"
_CHANGE = (
    "INSERT INTO edge (track_id, second, change) VALUES (?, ?, ?)"
    " ON CONFLICT (track_id, second) DO UPDATE SET change = edge.change + excluded.change"
)
_NO_CHANGE = "DELETE FROM edge WHERE track_id = ? AND second = ? AND change = 0"


class Recount:
    """One change of what counts. Nothing of it is in the counters before write()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cells: Counter[tuple[int, int, int]] = Counter()
        self._edges: Counter[tuple[int, int]] = Counter()
        self._tracks: set[int] = set()

    def leave_out(self, groups: Iterable[Group]) -> None:
        """Count these people no more, each on one track; before the rows change."""
        for group in groups:
            self._tally(group[1], _counted(self._connection, group), -1)

    def take_in(self, groups: Iterable[Group]) -> None:
        """Count these people as their rows are now, and say in the rows what has become of each save."""
        for person, track in groups:
            of = {"person": person, "track": track}
            rows = self._connection.execute(_ALL, of).fetchall()
            folded = fold(Save(row[0], row[1], row[2], row[0] if row[3] else None) for row in rows)
            counted = folded.counted
            words = {save.id: save.words_id for save in counted}
            now = [(row[0], folded.replaced_by.get(row[0]), words.get(row[0])) for row in rows]
            changed = [each for each, row in zip(now, rows, strict=True) if each[1:] != tuple(row[4:])]
            settle(self._connection, changed)
            self._tally(track, counted, 1)

    def add(self, group: Group, save: Save) -> None:
        """Count one save more, the newest of all; its row is there already."""
        before = [each for each in _counted(self._connection, group) if each.id != save.id]
        folded = Fold(before)
        replaced = folded.add(save)
        counted = folded.counted
        settle(self._connection, [(gone.id, save.id, None) for gone in replaced])
        settle(self._connection, [(save.id, None, counted[-1].words_id)])
        self._tally(group[1], before, -1)
        self._tally(group[1], counted, 1)

    def write(self) -> None:
        """Put the difference into the counters, in the order of their keys, so that no two writers wait in a ring."""
        cells = [(key, people) for key, people in sorted(self._cells.items()) if people]
        edges = [(key, change) for key, change in sorted(self._edges.items()) if change]
        write = self._connection.executemany
        write(_MORE_PEOPLE, [(*key, people) for key, people in cells if people > 0])
        fewer = [(key, -people) for key, people in cells if people < 0]
        write(_FEWER_PEOPLE, [(people, *key) for key, people in fewer])
        write(_NOBODY, [key for key, _ in fewer])
        write(_CHANGE, [(*key, change) for key, change in edges])
        write(_NO_CHANGE, [key for key, _ in edges])
        write("UPDATE track SET version = version + 1 WHERE id = ?", [(track,) for track in sorted(self._tracks)])
        self._cells.clear()
        self._edges.clear()
        self._tracks.clear()

    def _tally(self, track: int, saves: Iterable[Save], sign: int) -> None:
        self._tracks.add(track)
        spans = [save[1:3] for save in saves]
        for start, end in spans:
            self._cells[track, start, end] += sign
        for start, end in union(spans):
            self._edges[track, start] += sign
            self._edges[track, end] -= sign


def _counted(connection: sqlite3.Connection, group: Group) -> list[Save]:
    found = connection.execute(_COUNTED, {"person": group[0], "track": group[1]})
    return [Save._make(row) for row in found]


def settle(connection: sqlite3.Connection, rows: Iterable[tuple[int, int | None, int | None]]) -> None:
    """Say in rows (id, replaced by, whose words) what has become of saves."""
    connection.executemany(_SETTLE, [{"id": save, "by": by, "words": words} for save, by, words in rows])


def group_of(connection: sqlite3.Connection, save: int) -> Group:
    """Whose save it is, and on which track."""
    person, track = connection.execute(_GROUP_OF, (save,)).fetchone()
    return person, track


def delete(connection: sqlite3.Connection, save: int, now: int, accounts: Collection[int]) -> int:
    """Delete a save and what of these accounts it has replaced, for good; how many rows went.

    Their messages make no others. What it has replaced of other accounts is as if it had never been.
    """
    groups = [group_of(connection, save)]
    recount = Recount(connection)
    recount.leave_out(groups)
    rows = connection.execute(_WITH_REPLACED, (save,)).fetchall()
    gone = [(row,) for row, account in rows if account in accounts]
    connection.executemany("UPDATE save SET replaced_by = NULL WHERE replaced_by = ?", gone)
    connection.executemany(f"{_SPEND} id = ? {_SPENT}", [(now, *row) for row in gone])
    connection.executemany("DELETE FROM save WHERE id = ?", gone)
    recount.take_in(groups)
    recount.write()
    return len(gone)


def forget_account(connection: sqlite3.Connection, account: int, now: int, until: int) -> int:
    """Delete an account's saves up to an instant, in microseconds; how many. What it saved later goes on counting."""
    roots = connection.execute(_ROOTS_OF_OLD, (account, until)).fetchall()
    groups = _groups(connection, [_person_of(connection, account)], roots)
    recount = Recount(connection)
    recount.leave_out(groups)
    old = (account, until)
    connection.execute(f"{_SPEND} account_id = ? AND created_at <= ? {_SPENT}", (now, *old))
    connection.execute(
        "UPDATE save SET replaced_by = NULL"
        " WHERE replaced_by IN (SELECT id FROM save WHERE account_id = ? AND created_at <= ?)",
        old,
    )
    gone = connection.execute("DELETE FROM save WHERE account_id = ? AND created_at <= ?", old).rowcount
    recount.take_in(groups)
    recount.write()
    return gone


def move_account(connection: sqlite3.Connection, account: int, person: int) -> None:
    """Let an account be another person's: linked, all counts are as if they had been one all along; or unlinked."""
    people = [_person_of(connection, account), person]
    groups = _groups(connection, people, connection.execute(_ROOTS_OF_ACCOUNT, (account,)).fetchall())
    recount = Recount(connection)
    recount.leave_out(groups)
    connection.execute("UPDATE account SET person_id = ? WHERE id = ?", (person, account))
    recount.take_in(groups)
    recount.write()


def set_duration(connection: sqlite3.Connection, source: int, seconds: int) -> int:
    """Count no saves that end after a recording does, nor let them replace any; how many saves that changed."""
    of: dict[str, Any] = {"source": source, "seconds": seconds}
    groups: list[Group] = connection.execute(_BEYOND, of).fetchall()
    if not groups:
        return 0
    recount = Recount(connection)
    recount.leave_out(groups)
    changed = connection.execute(_MARK_BEYOND, of).rowcount
    recount.take_in(groups)
    recount.write()
    return changed


def _person_of(connection: sqlite3.Connection, account: int) -> int:
    (person,) = connection.execute("SELECT person_id FROM account WHERE id = ?", (account,)).fetchone()
    return int(person)


def _groups(connection: sqlite3.Connection, people: Iterable[int], roots: list[tuple[int]]) -> list[Group]:
    return [(person, track) for person in dict.fromkeys(people) for (track,) in roots]
