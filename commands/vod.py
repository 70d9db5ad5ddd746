"""From a session's marks into the recordings of its streams, and correcting where they fall: vodshift."""

import re
from dataclasses import replace
from typing import Annotated

from commands.archives import PATIENCE_SECONDS
from commands.arguments import Argument, first_word
from commands.audit import note
from commands.model import Invocation, Reply
from commands.registry import command
from commands.services import Services
from moments.errors import NotFound, UsageError
from moments.sessions import NOT_LIVE, Session
from moments.timecodes import LONGEST_SHIFT
from moments.vod import Vods, vods_of
from storage import Transaction

_SHIFT = re.compile(r"([-−+])?([0-9]{1,6})s?", re.IGNORECASE)


async def vods(
    services: Services, session: Session, lead_seconds: int | None = None, patience: float = PATIENCE_SECONDS
) -> Vods:
    """Where the session's marks fall, as far as Twitch told us within its day.

    The lead is the channel's own unless given. Waits at most `patience` seconds for Twitch, and never fails for it.
    Raises StoreError.
    """
    archives = await services.archives.of(services, session, patience)
    if lead_seconds is None:
        lead_seconds = session.channel.seconds(services.defaults).lead_seconds
    return vods_of(session, archives, lead_seconds)


def _read_shift(text: str) -> tuple[int, str] | None:
    word, rest = first_word(text)
    if not word:
        return None
    if word.lower() == "reset":
        return 0, rest
    found = _SHIFT.fullmatch(word)
    if found is None:
        raise UsageError("Say by how many seconds: `vodshift` +5 or `vodshift` -5; 0 puts them back.")
    sign, seconds = found[1], int(found[2])
    if seconds > LONGEST_SHIFT:
        raise UsageError(f"Marks move by at most {LONGEST_SHIFT} seconds in the VOD: `vodshift` +{LONGEST_SHIFT}.")
    if seconds and not sign:
        raise UsageError(f"Say which way: `vodshift` +{seconds} or `vodshift` -{seconds}.")
    return seconds if sign == "+" else -seconds, rest


VodShift = Annotated[
    int, Argument("±N", "seconds later (+) or earlier (-), at most 7200; 0 puts them back", _read_shift)
]


@command("vodshift", "Correct where this session's marks fall in the VOD.", live=True)
async def vodshift(call: Invocation, seconds: VodShift) -> Reply:
    """Say by how much the links of the channel's newest session are wrong; the marks themselves stay as they are."""

    async def shift(transaction: Transaction) -> None:
        live = await transaction.live(call.heard.place)
        session = live.session
        if session is None:
            raise NotFound(NOT_LIVE)
        if session.vod_shift_seconds == seconds:
            return
        await transaction.save_vod_shift(call.heard.place, replace(session, vod_shift_seconds=seconds))
        before, after = f"{session.vod_shift_seconds:+d}", f"{seconds:+d}"
        await note(call, transaction, session.channel, "vodshift", session_id=session.id, before=before, after=after)

    await call.write(shift)
    return Reply(_said(seconds), kind="changed")


def _said(seconds: int) -> str:
    if not seconds:
        return "Marks fall where the clocks put them in the VOD."
    return f"Marks now fall {abs(seconds):,} s {'later' if seconds > 0 else 'earlier'} in the VOD."
