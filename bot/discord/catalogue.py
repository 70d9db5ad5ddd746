"""Telling Discord which commands there are: only when they changed, and never in the way of answering."""

import asyncio
import hashlib
from typing import Any

import orjson
import structlog

from bot.discord.rest import Rest
from commands.services import Services
from moments.errors import MomentsError, ProviderBusy, ProviderRefused
from storage import Transaction, facts

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 600.0

_log = structlog.get_logger("discord_bot")


def digest(application_id: str, commands: list[dict[str, Any]]) -> str:
    """What tells whether Discord knows these already."""
    return hashlib.sha256(orjson.dumps([application_id, commands], option=orjson.OPT_SORT_KEYS)).hexdigest()


async def keep_synced(services: Services, rest: Rest, commands: list[dict[str, Any]]) -> None:
    """Return once Discord knows the commands, or will not have them; trouble is waited out."""
    pause = FIRST_PAUSE
    while True:
        try:
            await _sync(services, rest, commands)
        except ProviderRefused as error:
            # With the next version, or the next start; what Discord knows of older commands goes on working.
            _log.error("Discord refuses the commands", status=error.status, code=error.code)
            return
        except MomentsError as error:
            _log.warning("Discord could not be told of the commands yet", error=str(error))
            wait = error.retry_after if isinstance(error, ProviderBusy) else 0.0
            await asyncio.sleep(max(pause, wait))
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return


async def _sync(services: Services, rest: Rest, commands: list[dict[str, Any]]) -> None:
    known = digest(rest.application_id, commands)
    if await facts.get(services.store, facts.DISCORD_COMMANDS) == known:
        return
    await rest.sync(commands)

    async def job(transaction: Transaction) -> None:
        await facts.put(transaction, facts.DISCORD_COMMANDS, known)

    await services.store.run(job, message=None, now=services.clock())
    _log.info("Discord was told of the commands", commands=len(commands))
