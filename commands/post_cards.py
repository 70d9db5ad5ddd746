"""What the feed's posts say: a mark, several at once, a crowd moment, and a session that is over."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from commands.model import Button, Card
from moments.marks import Timestamp
from moments.sessions import Session
from moments.timecodes import hms
from moments.vod import Vods
from moments.wording import counted
from storage import Totals

MOST_LISTED = 15
"""Marks a post lists; how many more there are is said."""
MOST_WORDS = 5
"""What people said of a crowd moment, as far as a post repeats it."""
LARGEST = 5
"""Crowd moments a summary lists."""


class View(NamedTuple):
    """A session, as its posts show it."""

    session: Session
    vods: Vods
    window_seconds: int
    page: str
    """The session's own page, absolute."""

    def url(self, segment_index: int, offset_seconds: int) -> str:
        """Where a moment plays: in the VOD, the lead before it; the session's page while there is none."""
        place = self.vods.place(segment_index, offset_seconds)
        return place.url if place else self.page

    def buttons(self, segment_index: int, offset_seconds: int) -> tuple[Button, ...]:
        """To press under a post of this moment."""
        url, session = self.url(segment_index, offset_seconds), Button("Open the session", self.page)
        return (session,) if url == self.page else (Button("Watch this moment", url), session)


class Top(NamedTuple):
    """One of the largest crowd moments, with the first words somebody gave it."""

    segment_index: int
    offset_seconds: int
    people: int
    note: str


def people_of(marks: Sequence[Timestamp]) -> int:
    """How many people made them."""
    return len({mark.person_id for mark in marks})


def mark_card(view: View, mark: Timestamp, people: int) -> Card:
    """One mark, with how many people are in its crowd moment."""
    crowd = f" · {counted(people, 'person')} within {view.window_seconds} s" if people > 1 else ""
    head = f"#{mark.number} · {mark.offset_hms} · segment {mark.segment_index}{crowd}"
    by = (f"Marked by {_said(mark.submitted_by)}",) if mark.submitted_by else ()
    return Card(head, note=mark.note, lines=by, buttons=view.buttons(*mark[2:4]))


def marks_card(view: View, marks: Sequence[Timestamp]) -> Card:
    """Several that came faster than Discord takes messages, the earliest first."""
    marks = sorted(marks, key=_place)
    head = f"{counted(len(marks), 'mark')} by {counted(people_of(marks), 'person')} · {_stretch(marks)}"
    listed = marks[:MOST_LISTED]
    links = [(f"#{mark.number}", view.url(*mark[2:4])) for mark in listed]
    return Card(head, lines=(*map(_line, listed), *_more(len(marks) - len(listed))), buttons=_all(view, links))


def crowd_card(view: View, group: Sequence[Timestamp]) -> Card:
    """A crowd moment, with the first words people had for it."""
    first = group[0]
    head = (
        f"{counted(people_of(group), 'person')} within {view.window_seconds} s · {first.offset_hms}"
        f" · segment {first.segment_index}"
    )
    words = [_named(mark) for mark in group if mark.note]
    return Card(head, lines=tuple(words[:MOST_WORDS]), buttons=view.buttons(*first[2:4]))


def summary_card(view: View, totals: Totals, largest: Sequence[Top]) -> Card:
    """A session that is over."""
    head = f"Session over · {counted(totals.marks, 'mark')} by {counted(totals.people, 'person')}"
    lines = [
        f"{hms(top.offset_seconds)} (segment {top.segment_index}) · {counted(top.people, 'person')}"
        + (f" · {_said(top.note)}" if top.note else "")
        for top in largest
    ]
    links = [(hms(top.offset_seconds), view.url(*top[:2])) for top in largest]
    return Card(head, title=view.session.title, lines=tuple(lines), buttons=_all(view, links))


def _all(view: View, links: Iterable[tuple[str, str]]) -> tuple[Button, ...]:
    """A button for each of several moments, where there is a VOD, and one for the session."""
    return (*(Button(*link) for link in links if link[1] != view.page), Button("Open the session", view.page))


def _place(mark: Timestamp) -> tuple[int, int, int]:
    return mark.segment_index, mark.offset_seconds, mark.number


def _stretch(marks: Sequence[Timestamp]) -> str:
    first, last = marks[0], marks[-1]
    until = "" if first[2:4] == last[2:4] else f"–{last.offset_hms}"
    return f"{first.offset_hms}{until} · segment {first.segment_index}"


def _line(mark: Timestamp) -> str:
    words = f" · {_named(mark)}" if mark.note or mark.submitted_by else ""
    return f"#{mark.number} · {mark.offset_hms}{words}"


def _named(mark: Timestamp) -> str:
    return " – ".join(_said(words) for words in (mark.note, mark.submitted_by) if words)


def _more(number: int) -> tuple[str, ...]:
    return (f"and {number:,} more on the session's page",) if number > 0 else ()


def _said(words: str) -> str:
    """Somebody's words in a sentence of ours: always apart from it, so that no link in them becomes one (CHAT-2)."""
    return f"\u2068{words.translate(_ISOLATES)}\u2069"


_ISOLATES = dict.fromkeys(range(0x2066, 0x206A))
