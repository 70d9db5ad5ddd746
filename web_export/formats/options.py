"""What a download may be asked: `?fps= &start_tc= &shift= &lead= &min_people= &part=`, read strictly (EXP-5, TXT-4)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from moments.errors import UsageError
from moments.sessions import Defaults, Session

MOST_SECONDS = 86_400
"""The farthest a download may be moved, either way."""
MOST_PEOPLE = 10_000
MOST_PARTS = 10_000
_LONGEST = 32
"""Characters looked at; no value of ours is longer."""

_WHOLE = re.compile(r"[0-9]{1,6}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,5}(?:\.[0-9]{1,9})?")
_TIMECODE = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class FrameRate:
    """A timeline's frame rate, as editors write it and exactly."""

    label: str
    exact: Fraction

    @property
    def counted(self) -> int:
        """Frames in one second of non-drop timecode: 30 at 29.97."""
        return ceil(self.exact)

    def timecode(self, frame: int) -> str:
        """`HH:MM:SS:FF`, non-drop; past 99 hours the hours simply grow."""
        seconds, frames = divmod(frame, self.counted)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour:02d}:{minute:02d}:{second:02d}:{frames:02d}"


FRAME_RATES: Mapping[str, FrameRate] = {
    label: FrameRate(label, exact)
    for label, exact in (
        ("23.976", Fraction(24_000, 1001)),
        ("24", Fraction(24)),
        ("25", Fraction(25)),
        ("29.97", Fraction(30_000, 1001)),
        ("30", Fraction(30)),
        ("48", Fraction(48)),
        ("50", Fraction(50)),
        ("59.94", Fraction(60_000, 1001)),
        ("60", Fraction(60)),
    )
}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """One download's wishes; the defaults are a download without any."""

    fps: FrameRate = FRAME_RATES["30"]
    """The editor's timeline rate: no streaming service tells us theirs."""
    start_tc: str = "01:00:00:00"
    """The timecode of the timeline's first frame."""
    shift: Fraction = Fraction(0)
    """Seconds every mark is moved; positive is later."""
    lead: int | None = None
    """Seconds every mark is moved back; None is the format's own habit."""
    min_people: int = 1
    """Only marks of crowd moments of so many people."""
    part: int = 1
    """Which part, where a format holds only so many marks a file."""

    @property
    def start_frame(self) -> int:
        """The number of the timeline's first frame; raises UsageError when it is no timecode at this rate."""
        counted = self.fps.counted
        match = _TIMECODE.fullmatch(self.start_tc)
        if match:
            hour, minute, second, frame = map(int, match.groups())
            if hour < 24 and minute < 60 and second < 60 and frame < counted:
                return ((hour * 60 + minute) * 60 + second) * counted + frame
        raise UsageError(
            f"start_tc looks like 01:00:00:00, up to 23:59:59:{counted - 1} at {self.fps.label} frames a second."
        )

    def lead_seconds(self, session: Session, defaults: Defaults, *, editor: bool) -> int:
        """Seconds to move back: as asked, else the channel's lead for editors' formats and none for the others."""
        if self.lead is not None:
            return self.lead
        return session.channel.seconds(defaults).lead_seconds if editor else 0


def parse_options(query: Mapping[str, str]) -> ExportOptions:
    """Options from a query string or the command line; what is missing or blank has its default.

    Unknown names are ignored. Raises UsageError with one sentence saying what to type.
    """
    # Bare words of a form: a browser sends empty fields too, and `+2` in an address arrives as ` 2`.
    words = {name: query.get(name, "").strip() for name in ("fps", "start_tc", "shift", "lead", "min_people", "part")}
    options = ExportOptions(
        fps=_fps(words["fps"] or "30"),
        start_tc=words["start_tc"][:_LONGEST] or "01:00:00:00",
        shift=_shift(words["shift"] or "0"),
        lead=_whole("lead", words["lead"], 0, MOST_SECONDS) if words["lead"] else None,
        min_people=_whole("min_people", words["min_people"] or "1", 1, MOST_PEOPLE),
        part=_whole("part", words["part"] or "1", 1, MOST_PARTS),
    )
    _ = options.start_frame  # refused now, not in the middle of a download
    return options


def _fps(word: str) -> FrameRate:
    if rate := FRAME_RATES.get(word):
        return rate
    raise UsageError(f"fps is your timeline's frame rate, one of {', '.join(FRAME_RATES)}.")


def _shift(word: str) -> Fraction:
    word = word[:_LONGEST].replace("−", "-")
    if _DECIMAL.fullmatch(word):
        shift = Fraction(word)
        if abs(shift) <= MOST_SECONDS:
            return shift
    raise UsageError(f"shift is seconds from -{MOST_SECONDS} to {MOST_SECONDS}, like 1.5 or -20; positive is later.")


def _whole(name: str, word: str, least: int, most: int) -> int:
    if _WHOLE.fullmatch(word[:_LONGEST]) and least <= int(word) <= most:
        return int(word)
    what = "whole seconds" if name == "lead" else "a whole number"
    raise UsageError(f"{name} is {what} from {least} to {most}.")
