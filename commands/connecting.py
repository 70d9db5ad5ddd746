"""Connecting a channel on Twitch, and everything that ends it again; the bot's own account too.

A channel whose grant no longer works keeps its row and its marks and says what it needs; nothing else stops.
"""

import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from commands.services import Services
from moments.errors import NotAllowed, NotAuthorised, ProviderError
from moments.grants import Grant
from moments.live import Author, Place
from moments.notes import clean_name
from storage import Transaction, audit, connections, credentials, joined, login_attempts, web_sessions
from storage.connections import Connected, State
from storage.credentials import Vault
from storage.keys import digest_of
from storage.purge import drop_api_data

PLATFORM: Final = "twitch"
BOT_SCOPES = frozenset({"user:read:chat", "user:write:chat", "user:bot"})
SEAT = "channel:bot"
"""What a streamer grants to have the bot in chat …"""
MARKERS, CLIPS = "channel:manage:broadcast", "channel:manage:clips"
"""… and, each only if they wish, to have marks mirrored as stream markers and crowd moments made into clips."""
LOGIN_KNOWN_FOR = timedelta(hours=24)
"""How long a channel's login is shown without asking Twitch again (ID-1)."""
_GIVEN_BACK_WITHIN = timedelta(minutes=2)
_TAKEN_BACK = frozenset({"authorization_revoked", "user_removed"})
"""Why Twitch ends a subscription when its streamer has taken back their leave, or is gone. It has other reasons, such
as a ban of the bot from their chat, which cost nobody their tokens.
"""

_log = structlog.get_logger("connecting")


async def channels(services: Services) -> list[Connected]:
    """Every channel the bot should be in, with what each granted and whether that still works."""
    return await connections.on_platform(services.store, PLATFORM)


async def connection(services: Services, author: Author) -> Connected | None:
    """Somebody's own channel, in whatever state."""
    return await connections.of_channel(services.store, author.platform, author.user_id)


async def is_connected(services: Services, author: Author) -> bool:
    """Whether somebody has a channel that is not disconnected."""
    found = await connection(services, author)
    return found is not None and found.state is not State.DISCONNECTED


async def connect(services: Services, grant: Grant, display_name: str, login: str, now: datetime) -> None:
    """Let the bot into the channel of the grant's owner, with the optional features that were granted."""
    place, vault = Place(PLATFORM, grant.user_id, clean_name(display_name)), Vault(services.keys)

    async def job(transaction: Transaction) -> None:
        channel = (await transaction.live(place)).channel
        chosen = replace(channel.settings, mirror_markers=MARKERS in grant.scopes, promote=CLIPS in grant.scopes)
        saved = await transaction.save_settings(place, replace(channel, settings=chosen))
        await connections.learn_login(transaction, *place[:2], login, until=now + LOGIN_KNOWN_FOR)
        await connections.connect(transaction, place, grant.scopes, now)
        await credentials.save(transaction, vault, grant, now)
        by = Author(*place)
        await audit.record(transaction, saved, None, by, "connect", after=" ".join(sorted(grant.scopes)), now=now)

    await services.store.run(job, message=None, now=now)
    services.changed.set()


async def disconnect(services: Services, user_id: str, by: Author, now: datetime) -> bool:
    """Take the bot out of a channel, and keep no token and no login of its streamer; every mark stays.

    Whether Twitch could be told: where it could not, its own settings still list us.
    """
    vault, channel = Vault(services.keys), await services.store.channel(PLATFORM, user_id)

    async def job(transaction: Transaction) -> Grant | None:
        grant = await credentials.load(transaction, vault, PLATFORM, user_id)
        await credentials.remove(transaction, PLATFORM, user_id)
        ended = await connections.change(transaction, PLATFORM, user_id, State.DISCONNECTED, now)
        if ended and channel is not None:
            await audit.record(transaction, channel, None, by, "disconnect", now=now)
        await joined.end_of_streamer(transaction, PLATFORM, user_id, now)
        await drop_api_data(transaction, PLATFORM, user_id)
        await web_sessions.end_all_of(transaction, PLATFORM, user_id)
        return grant

    grant = await services.store.run(job, message=None, now=now)
    services.changed.set()
    return grant is None or await give_back(services, grant)


async def give_back(services: Services, grant: Grant) -> bool:
    """Have Twitch forget a token we need no longer; whether it could be told."""
    if services.twitch is None:
        return False
    try:
        await services.twitch.oauth.revoke(grant.access_token)
    except ProviderError as error:
        _log.warning("Twitch could not be told that a token is needed no longer", error=str(error))
        return False
    return True


async def revoked(services: Services, user_id: str, status: str, now: datetime) -> None:
    """Twitch ended a subscription, with this status: whoever took back what they granted loses tokens and logins.

    Who has granted anew by the time that is certain is not meant. Raises StoreError, and may be told again then.
    """
    before = await credentials.generation(services.store, PLATFORM, user_id)
    # Giving back the token of a login may make Twitch say so as well; the grant itself tells which it was.
    if not await _is_taken_back(services, user_id, believed=status in _TAKEN_BACK):
        return

    async def job(transaction: Transaction) -> bool:
        if await credentials.generation(transaction, PLATFORM, user_id) != before:
            return False
        await credentials.remove(transaction, PLATFORM, user_id)
        await connections.change(transaction, PLATFORM, user_id, State.NEEDS_AUTHORISATION, now)
        await joined.end_of_streamer(transaction, PLATFORM, user_id, now)
        await drop_api_data(transaction, PLATFORM, user_id)
        await web_sessions.end_all_of(transaction, PLATFORM, user_id, begun_before=now - _GIVEN_BACK_WITHIN)
        return True

    if await services.store.run(job, message=None, now=now):
        services.changed.set()


async def needs_authorisation(
    services: Services, user_id: str, now: datetime, *, asked: datetime | None = None
) -> None:
    """Note that a streamer's token is dead, so that their pages ask them to connect again; nothing else stops.

    `asked` is when Twitch was asked what it refused: whoever has connected since is not meant.
    """

    async def job(transaction: Transaction) -> bool:
        return await connections.change(
            transaction, PLATFORM, user_id, State.NEEDS_AUTHORISATION, now, unless_since=asked
        )

    if await services.store.run(job, message=None, now=now):
        services.changed.set()


async def granted_again(services: Services, channel_ids: Collection[str], now: datetime) -> None:
    """Twitch sends everything of these channels: whose grant works need not be asked to connect again any more."""

    async def job(transaction: Transaction) -> None:
        for user_id in channel_ids:
            if await connections.granted_again(transaction, PLATFORM, user_id, now):
                _log.info("a streamer need not connect again after all", channel=user_id)

    await services.store.run(job, message=None, now=now)


async def _is_taken_back(services: Services, user_id: str, *, believed: bool) -> bool:
    """Whether a grant is over; where there is none to ask about, or nobody to be asked, whether that is `believed`."""
    grant = await credentials.load(services.store, Vault(services.keys), PLATFORM, user_id)
    if grant is None or services.twitch is None:
        return believed
    try:
        if await services.twitch.oauth.validate(grant.access_token) is None:
            await services.twitch.helix.user_tokens.renewed(user_id, grant.access_token)
    except NotAuthorised:
        return True
    except ProviderError as error:
        _log.warning("Twitch could not be asked whether a grant still holds", event_believed=believed, error=str(error))
        return believed
    return False


# --- the bot's own account


async def bot_is_authorised(services: Services) -> bool:
    """Whether the bot's account has granted what it needs to sit in chats."""
    if services.twitch is None:
        return False
    return await credentials.load(services.store, Vault(services.keys), PLATFORM, services.twitch.bot_id) is not None


async def bot_code(services: Services) -> str:
    """A new one-time code for the page where the operator lets in the bot's account; the one before is void."""
    code = secrets.token_urlsafe(24)

    async def job(transaction: Transaction) -> None:
        await login_attempts.keep_bot_code(transaction, digest_of(code))

    await services.store.run(job, message=None, now=services.clock())
    return code


async def check_bot_code(services: Services, code: str) -> str:
    """The code's digest, for authorise_bot(); NotAllowed unless it is the newest code, not used yet."""
    digest = digest_of(code)
    if not await login_attempts.is_bot_code(services.store, digest):
        raise NotAllowed(_WRONG_CODE)
    return digest


async def authorise_bot(services: Services, grant: Grant, code_digest: str, now: datetime) -> None:
    """Keep the bot's own grant and use up the code; NotAllowed, and nothing is kept, when that is used up already."""
    vault = Vault(services.keys)

    async def job(transaction: Transaction) -> None:
        if not await login_attempts.spend_bot_code(transaction, code_digest):
            raise NotAllowed(_WRONG_CODE)
        await credentials.save(transaction, vault, grant, now)

    await services.store.run(job, message=None, now=now)
    services.changed.set()


_WRONG_CODE = (
    "That code is not right, or was used already. Open the newest link that Moments printed in its terminal; "
    "starting Moments again prints another."
)
