"""What has been kept for long enough goes, every few minutes, whatever else happens (PRIV-6)."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from commands import connecting
from commands.services import Services
from moments.errors import MomentsError
from moments.grants import Grant
from storage import Transaction, credentials
from storage.credentials import Vault
from storage.purge import Purged, purge, unused_grants

EVERY = 300.0
"""Seconds between two rounds."""

_log = structlog.get_logger("upkeep")


async def clean(services: Services) -> Purged:
    """One round. Whoever listens to channels hears when one was disconnected, and Twitch that its tokens may go."""
    now = services.clock()
    spared, vault = [("twitch", services.twitch.bot_id)] if services.twitch else [], Vault(services.keys)

    async def job(transaction: Transaction) -> tuple[Purged, list[Grant | None]]:
        unused = await unused_grants(transaction, now, spared)
        grants = [await credentials.load(transaction, vault, *account) for account in unused]
        return await purge(transaction, now, spared), grants

    purged, grants = await services.store.run(job, message=None, now=now)
    if purged.grants:
        services.changed.set()
        _log.info("channels in which nothing happened for long were disconnected", channels=purged.grants)
    for grant in filter(None, grants):
        await connecting.give_back(services, grant)
    return purged


async def keep_clean(services: Services, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Round after round, for ever; one that fails is logged, and the next tries again."""
    while True:
        try:
            await clean(services)
        except MomentsError as error:
            _log.warning("what is too old could not be deleted", error=str(error))
        except Exception:
            _log.exception("what is too old could not be deleted")
        await sleep(EVERY)
