"""Which token a call carries, and how it is renewed: for each account one flight at a time, and once a call."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

import stamina

from moments.errors import NotAuthorised, StoreError
from moments.grants import Grant
from providers.twitch.oauth import TwitchOAuth

T = TypeVar("T")


class GrantStore(Protocol):
    """Where the accounts' grants are kept."""

    async def load(self, user_id: str) -> Grant | None:
        """The account's grant; None when there is none, or it is dead."""

    async def save(self, grant: Grant) -> None:
        """Keep the grant instead of the one it was refreshed from; durable on return.

        NotAuthorised, and nothing is kept, when that one was withdrawn or its owner has granted anew meanwhile.
        """

    async def dead(self, grant: Grant) -> None:
        """The grant no longer works; only its owner can mend that. One that was granted since is not meant."""


class Token(Protocol):
    """The token of one call."""

    async def current(self) -> str:
        """What to send; NotAuthorised when there is nothing."""

    async def renewed(self, rejected: str) -> str:
        """Another one, since Twitch said 401 to `rejected`; NotAuthorised when there will be none."""

    async def given_up(self, rejected: str) -> None:
        """Twitch said 401 to the renewed one, too."""


class Flights(Generic[T]):
    """Work that several callers want done once. It runs on when one of them is cancelled: a refresh half done, its
    one-time token spent and the new one not kept, would cost the account its grant.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Task[T]] = {}

    async def join(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the work for `key` that is under way, or of `work`, started now."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever still waits is told; with nobody left the next call finds out for itself


class UserTokens:
    """The accounts' own tokens. The only door for refreshing: whoever refreshes elsewhere spends one-time tokens."""

    def __init__(self, oauth: TwitchOAuth, store: GrantStore) -> None:
        self._oauth = oauth
        self._store = store
        self._flights = Flights[Grant]()

    async def grant(self, user_id: str) -> Grant:
        """The account's grant; NotAuthorised for an account that granted nothing. Never the app's token instead."""
        grant = await self._store.load(user_id) if user_id else None
        if grant is None:
            raise NotAuthorised("There is no grant for that account.")
        return grant

    async def renewed(self, user_id: str, rejected: str) -> Grant:
        """A grant whose access token is not `rejected`: refreshed, unless somebody has done so, or its owner has
        granted anew, in the meantime.

        NotAuthorised, with the grant marked dead, when Twitch no longer knows it.
        """
        return await self._flights.join(user_id, lambda: self._renew(user_id, rejected))

    async def given_up(self, user_id: str, rejected: str) -> None:
        """Helix refused a token fresh from a refresh: mark the grant dead if Twitch itself says that it is.

        Otherwise Helix is in trouble, and no streamer should have to come back for that.
        """
        if await self._oauth.validate(rejected) is not None:
            return
        grant = await self._store.load(user_id)
        if grant is not None and grant.access_token == rejected:
            await self._store.dead(grant)

    async def settle(self) -> None:
        """Wait for the refreshes under way: before the HTTP client and the store are closed."""
        await self._flights.settle()

    async def _renew(self, user_id: str, rejected: str) -> Grant:
        grant = await self.grant(user_id)
        if grant.access_token != rejected:
            return grant
        try:
            return await self._refreshed(grant)
        except NotAuthorised:
            newer = await self._store.load(user_id)
            if newer is None or newer.access_token == rejected:
                raise
            return newer

    async def _refreshed(self, grant: Grant) -> Grant:
        try:
            fresh = replace(await self._oauth.refresh(grant), generation=grant.generation)
        except NotAuthorised:
            await self._store.dead(grant)
            raise
        async for attempt in stamina.retry_context(on=StoreError, attempts=5, timeout=30):
            with attempt:
                await self._store.save(fresh)
        return fresh


class UserToken:
    """One account's token, for one call."""

    def __init__(self, tokens: UserTokens, user_id: str) -> None:
        self._tokens, self._user_id = tokens, user_id

    async def current(self) -> str:
        return (await self._tokens.grant(self._user_id)).access_token

    async def renewed(self, rejected: str) -> str:
        return (await self._tokens.renewed(self._user_id, rejected)).access_token

    async def given_up(self, rejected: str) -> None:
        await self._tokens.given_up(self._user_id, rejected)


class AppToken:
    """The application's own token, kept while it works; five calls that find it dead fetch one new one."""

    def __init__(self, oauth: TwitchOAuth) -> None:
        self._oauth = oauth
        self._token = ""
        self._flights = Flights[str]()

    async def current(self) -> str:
        """The token, fetched for the first call."""
        return self._token or await self.renewed("")

    async def renewed(self, rejected: str) -> str:
        """Another one, fetched unless somebody has done so in the meantime."""
        return await self._flights.join("", lambda: self._fetched(rejected))

    async def given_up(self, rejected: str) -> None:
        """Nobody can be asked to mend it; the next call tries anew."""

    async def settle(self) -> None:
        """Wait for the fetch under way."""
        await self._flights.settle()

    async def _fetched(self, rejected: str) -> str:
        if self._token == rejected:
            self._token = (await self._oauth.app_token()).access_token
        return self._token


class BorrowedToken:
    """A token that was handed in for one call and is kept nowhere: it cannot be renewed."""

    def __init__(self, access_token: str) -> None:
        self._token = access_token

    async def current(self) -> str:
        return self._token

    async def renewed(self, rejected: str) -> str:
        raise NotAuthorised("The token that was handed in no longer works.")

    async def given_up(self, rejected: str) -> None:
        """There is no more to it."""
