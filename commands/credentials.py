"""The grants in use: handed out and kept, asked after every hour; and the secret key they are sealed with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from commands.connecting import LOGIN_KNOWN_FOR
from moments.errors import MomentsError, NotAuthorised, ProviderBusy, ProviderDown, ProviderError, StoreError
from moments.grants import Grant
from storage import Store, Transaction, connections, credentials, facts
from storage.connections import State
from storage.credentials import USED_ONCE_IN, Held, Lost, Vault
from storage.keys import SecretKeyError, SecretKeys

if TYPE_CHECKING:
    from providers.twitch import TwitchApi  # a log is replayed without loading an HTTP client
    from providers.twitch.oauth import Validated

PLATFORM: Final = "twitch"
ASKED_EVERY = timedelta(minutes=50)
"""Twitch demands at least once an hour, and at every start."""
LOOKED_EVERY = 60.0
"""Seconds between two looks at whose turn it is."""
APART = 1.0
"""Seconds between two questions: a hundred streamers are not asked after all at once."""

WRONG_KEY: Final = (
    "The secret key is not the one this database was made with. Put that key file back, or add that key to"
    " MOMENTS_SECRET_KEY after a comma; if it is lost, `moments backup saved.db` and `moments restore saved.db` go on"
    " without what it sealed."
)

NO_NEW_KEY: Final = (
    "There is no new key to change to. Put one before the present one, which is {}, in MOMENTS_SECRET_KEY, with a comma"
    " between; restart Moments; then type this again."
)
RESTART_FIRST: Final = (
    "Moments runs, and was not started with this newest key: it would go on sealing with another. Restart it, then"
    " type this again."
)

Sleep = Callable[[float], Awaitable[None]]

_log = structlog.get_logger("credentials")


# --- the secret key


async def check_key(store: Store, keys: SecretKeys, now: datetime) -> None:
    """Raise SecretKeyError unless one of the keys is this database's; one without any takes the newest (KEY-3).

    For a start: that it writes with the newest from now on is noted.
    """
    ours = Vault(keys).key_ids
    kept = await facts.get(store, facts.KEY_FINGERPRINT)
    if kept is not None and kept not in ours:
        raise SecretKeyError(WRONG_KEY)
    if kept is not None and await facts.get(store, facts.NEWEST_KEY) == ours[0]:
        return

    async def job(transaction: Transaction) -> None:
        await facts.put(transaction, facts.KEY_FINGERPRINT, kept or ours[0])
        await facts.put(transaction, facts.NEWEST_KEY, ours[0])

    await store.run(job, message=None, now=now)


async def rotate(
    store: Store, keys: SecretKeys, now: datetime, *, running: bool, kept_where: str
) -> credentials.Resealed:
    """Seal every token with the newest key, all or none, and make it this database's (KEY-3).

    Moments may be `running` if it was started with that key. Raises SecretKeyError when it was not, when none of the
    keys is this database's, and when there is only the present one, which is `kept_where`.
    """
    vault = Vault(keys)
    kept = await facts.get(store, facts.KEY_FINGERPRINT)
    if kept is not None and kept not in vault.key_ids:
        raise SecretKeyError(WRONG_KEY)
    if len(vault.key_ids) == 1:
        raise SecretKeyError(NO_NEW_KEY.format(kept_where))
    if running and await facts.get(store, facts.NEWEST_KEY) != vault.key_ids[0]:
        raise SecretKeyError(RESTART_FIRST)

    async def job(transaction: Transaction) -> credentials.Resealed:
        await facts.put(transaction, facts.KEY_FINGERPRINT, vault.key_ids[0])
        return await credentials.reseal_all(transaction, vault)

    return await store.run(job, message=None, now=now)


# --- grants in use


class StoredGrants:
    """The streamers' and the bot's grants, as `providers.twitch.GrantStore` asks for them.

    `on_dead` hears the user id of everybody whose grant no longer works, once it is noted that they have to come back.
    """

    def __init__(
        self, store: Store, vault: Vault, clock: Callable[[], datetime], on_dead: Callable[[str], Awaitable[None]]
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._on_dead = on_dead
        self._noted: dict[str, datetime] = {}
        self._asked_after: set[str] = set()
        """Whose grants are only being validated: that is no use of them."""
        self._sealed_elsewhere: set[str] = set()

    async def load(self, user_id: str) -> Grant | None:
        """The account's grant; None when there is none that can be used."""
        grant = await self._open(user_id)
        if grant is not None and user_id not in self._asked_after:
            await self._note_use(user_id)
        return grant

    async def save(self, grant: Grant) -> None:
        """Keep a refreshed grant.

        Raises NotAuthorised when its owner has withdrawn it, which then stays so, or has granted anew meanwhile.
        """
        now = self._clock()

        async def job(transaction: Transaction) -> bool:
            return await credentials.renew(transaction, self._vault, grant, now)

        if not await self._store.run(job, message=None, now=now):
            raise NotAuthorised("That grant was withdrawn.")

    async def dead(self, grant: Grant) -> None:
        """Use a grant no more, and tell; not when its owner has granted anew since it was given out."""
        await self._bury(grant.user_id, grant.generation)

    async def due(self, asked_before: datetime) -> list[Held]:
        """Every account whose grant is in use and was not asked after since an instant, the longest ago first."""
        now = self._clock()
        return [
            each
            for each in await credentials.held(self._store)
            if each.platform == PLATFORM
            and each.state == "ok"
            # Later than now: the clock has been set back, and nobody knows how long ago that was.
            and (each.validated_at is None or not asked_before < each.validated_at <= now)
        ]

    async def validate(self, api: "TwitchApi", user_id: str) -> None:
        """Ask Twitch whether an account's grant still holds. One that needs a refresh gets it; a dead one is told.

        Raises a ProviderError other than NotAuthorised, and changes nothing, when Twitch cannot tell.
        """
        self._asked_after.add(user_id)
        try:
            grant = await self._open(user_id)
            if grant is None:
                return
            validated = await api.oauth.validate(grant.access_token)
            if validated is None:
                await api.helix.user_tokens.renewed(user_id, grant.access_token)
            elif validated.user_id != user_id:
                await self.dead(grant)
            else:
                await self._confirm(grant, validated)
        except NotAuthorised as refusal:
            _log.debug("a grant is over", user_id=user_id, error=str(refusal))  # UserTokens has told so
        finally:
            self._asked_after.discard(user_id)

    async def _open(self, user_id: str) -> Grant | None:
        found = await credentials.find(self._store, self._vault, PLATFORM, user_id)
        match found:
            case Grant():
                return found
            case Lost.SPOILED:
                await self._bury_spoiled(user_id)
            case Lost.OTHER_KEY if user_id not in self._sealed_elsewhere:
                self._sealed_elsewhere.add(user_id)
                _log.error("a token is sealed with a key that is not in MOMENTS_SECRET_KEY: add it", user_id=user_id)
        return None

    async def _confirm(self, grant: Grant, validated: "Validated") -> None:
        now = self._clock()
        if lost := grant.scopes - validated.scopes:
            _log.warning("a streamer's grant reaches less far", user_id=grant.user_id, without=sorted(lost))
        # 0 is how Twitch says that a token has no end of its own.
        ends = now + timedelta(seconds=validated.expires_in) if validated.expires_in else None
        known = replace(grant, login=validated.login, scopes=validated.scopes, expires_at=ends)

        async def job(transaction: Transaction) -> None:
            if await credentials.validated(transaction, known, now):
                who = PLATFORM, known.user_id, known.login
                await connections.learn_login(transaction, *who, until=now + LOGIN_KNOWN_FOR)

        await self._store.run(job, message=None, now=now)

    async def _bury_spoiled(self, user_id: str) -> None:
        generation = await credentials.generation(self._store, PLATFORM, user_id)
        if await credentials.find(self._store, self._vault, PLATFORM, user_id) is Lost.SPOILED:
            await self._bury(user_id, generation)

    async def _bury(self, user_id: str, generation: int | None) -> None:
        now = self._clock()

        async def job(transaction: Transaction) -> bool:
            was_in_use = await credentials.mark_dead(transaction, PLATFORM, user_id, generation, now)
            if was_in_use:
                await connections.change(transaction, PLATFORM, user_id, State.NEEDS_AUTHORISATION, now)
            return was_in_use

        if await self._store.run(job, message=None, now=now):
            _log.warning("a grant no longer works; its owner has to connect again", user_id=user_id)
            await self._on_dead(user_id)

    async def _note_use(self, user_id: str) -> None:
        now = self._clock()
        if now - self._noted.get(user_id, _LONG_AGO) < USED_ONCE_IN:
            return
        self._noted[user_id] = now

        async def job(transaction: Transaction) -> None:
            await credentials.used(transaction, PLATFORM, user_id, now)

        try:
            await self._store.run(job, message=None, now=now)
        except StoreError as error:  # no reason to keep the token from whoever needs it now
            _log.warning("the use of a token could not be noted", error=str(error))


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


# --- the hourly question


async def validate_all(
    grants: StoredGrants, api: "TwitchApi", *, asked_before: datetime, sleep: Sleep = asyncio.sleep
) -> None:
    """Validate, one after the other, every grant that was not asked after since an instant.

    When Twitch is down or has had enough of us the rest waits for the next time; nothing is taken for dead.
    """
    waiting = await grants.due(asked_before)
    for each in waiting:
        try:
            await grants.validate(api, each.user_id)
        except (ProviderDown, ProviderBusy) as error:
            _log.warning("Twitch cannot be asked whether tokens still hold; they are kept", error=str(error))
            return
        except ProviderError as error:
            _log.warning("Twitch did not say whether a token holds", user_id=each.user_id, error=str(error))
        await sleep(min(APART, ASKED_EVERY.total_seconds() / 2 / len(waiting)))


async def validate_hourly(
    grants: StoredGrants, api: "TwitchApi", clock: Callable[[], datetime], sleep: Sleep = asyncio.sleep
) -> None:
    """Validate every grant now and then each hour, for ever; Twitch ends the access of who does not."""
    started = clock()
    while True:
        now = clock()
        started = min(started, now)  # a clock that was set back must not make everybody due at every look until then
        try:
            await validate_all(grants, api, asked_before=max(started, now - ASKED_EVERY), sleep=sleep)
        except MomentsError as error:
            _log.warning("tokens could not be looked after", error=str(error))
        except Exception:
            _log.exception("tokens could not be looked after")
        await sleep(LOOKED_EVERY)
