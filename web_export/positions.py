"""A place in a session's list of marks, as addresses and the API write it: `2.1234.47`."""

import re

from moments.crowd import Position
from moments.errors import UsageError
from moments.marks import Timestamp

POSITION = r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})"
_POSITION = re.compile(POSITION, re.ASCII)


def position_of(mark: Timestamp) -> str:
    """Where a mark stands: segment, offset and number."""
    return f"{mark.segment_index}.{mark.offset_seconds}.{mark.number}"


def parse_position(word: str | None, refusal: str) -> Position | None:
    """What position_of wrote; UsageError with the sentence `refusal` for anything else."""
    if word is None:
        return None
    if not (found := _POSITION.fullmatch(word)):
        raise UsageError(refusal)
    segment, offset, number = map(int, found.groups())
    return segment, offset, number
