"""`moments tracks`: what the operator is asked about recordings, printed and answered."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.logs import plain
from commands import tracks
from commands.services import utc_now
from storage import Store, open_store

if TYPE_CHECKING:
    from bot.settings import Settings


async def decide(settings: "Settings", what: str, words: Sequence[str]) -> None:
    """Do one of the acts of `moments tracks`, and print what came of it.

    Works while Moments runs, too. Raises NotFound, BadLink, UsageError and StoreError, each a sentence.
    """
    async with open_store(settings.database, defaults=settings.defaults, create=False) as store:
        for line in await _lines(store, what, words):
            sys.stdout.write(f"{plain(line)}\n")


async def _lines(store: Store, what: str, words: Sequence[str]) -> list[str]:
    now = utc_now()
    match what:
        case "same" | "different":
            return [await tracks.answer(store, int(words[0]), same=what == "same", now=now)]
        case "merge":
            return [await tracks.merge(store, words[0], words[1], now)]
        case "unmerge":
            return [await tracks.unmerge(store, int(words[0]), now)]
        case "hide" | "unhide":
            return [await tracks.set_words(store, words[0], now, hidden=what == "hide")]
        case "show":
            return await tracks.show(store, words[0], now)
    return _listed(await tracks.open_questions(store, now))


def _listed(found: Sequence[tracks.Asked]) -> list[str]:
    if not found:
        return ["Nothing to decide: no two recordings are in question."]
    lines = []
    for asked in found:
        lines += [f"{asked.number}. Are these the same? {asked.why}", *(f"   {side}" for side in asked.sides)]
    return [*lines, "Answer with moments tracks same N or moments tracks different N."]
