"""The providers people log in with, each with its own proof of who came back (AUTH-2)."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import structlog

from commands import connecting
from commands.services import Services
from moments.errors import NotAuthorised, NotFound, ProviderError
from moments.grants import Grant
from moments.notes import clean_name
from providers.discord import DiscordOAuth
from providers.twitch import TwitchApi
from providers.twitch.oauth import check_identity

TWITCH: Final = "twitch"
DISCORD: Final = "discord"
NOT_SET_UP = {
    TWITCH: "Twitch is not set up here yet. Whoever runs this Moments sets MOMENTS_TWITCH_CLIENT_ID, "
    "MOMENTS_TWITCH_CLIENT_SECRET and MOMENTS_TWITCH_BOT_ID, and starts it again.",
    DISCORD: "Logging in with Discord is not set up here yet. Whoever runs this Moments sets "
    "MOMENTS_DISCORD_APPLICATION_ID and MOMENTS_DISCORD_CLIENT_SECRET, and starts it again.",
}

_log = structlog.get_logger("logins")


class Proven(NamedTuple):
    """What somebody granted, certainly to us and certainly theirs."""

    grant: Grant
    display_name: str = ""
    """How the provider calls them, where it says so unasked."""


class Way(Protocol):
    """One provider's half of the walk there and back."""

    def address(self, redirect_uri: str, scopes: Iterable[str], state: str, secret: str, *, ask_anew: bool) -> str:
        """Where to send the browser; `secret` is this walk's own, of 43 letters, to be proven on the way back."""

    async def proven(self, code: str, redirect_uri: str, secret: str) -> Proven:
        """What the code was good for.

        NotAuthorised, and nothing is left granted, unless it is of this very walk; other ProviderErrors.
        """

    async def give_back(self, grant: Grant) -> None:
        """Have the provider forget a token; that it cannot be told is logged."""


class _Twitch:
    """OpenID Connect: the secret is the identity's nonce."""

    def __init__(self, services: Services, api: TwitchApi) -> None:
        self._services, self._oauth = services, api.oauth

    def address(self, redirect_uri: str, scopes: Iterable[str], state: str, secret: str, *, ask_anew: bool) -> str:
        asked = frozenset(scopes) | {"openid"}
        return self._oauth.authorize_url(
            redirect_uri=redirect_uri, scopes=asked, state=state, nonce=secret, force_verify=ask_anew
        )

    async def proven(self, code: str, redirect_uri: str, secret: str) -> Proven:
        grant, claims = await self._oauth.exchange(code, redirect_uri)
        try:
            person = check_identity(claims, secret, self._oauth.client_id, self._services.clock())
        except NotAuthorised:
            person = ""
        if person != grant.user_id:
            await self.give_back(grant)
            raise NotAuthorised("id_token: it is not of this walk, or the tokens are somebody else's")
        return Proven(grant)

    async def give_back(self, grant: Grant) -> None:
        await connecting.give_back(self._services, grant)


class _Discord:
    """PKCE: the secret is the code's verifier. It asks for who somebody is, and for nothing else."""

    def __init__(self, oauth: DiscordOAuth) -> None:
        self._oauth = oauth

    def address(self, redirect_uri: str, scopes: Iterable[str], state: str, secret: str, *, ask_anew: bool) -> str:
        del scopes, ask_anew  # one scope, and its page is always shown
        return self._oauth.authorize_url(redirect_uri=redirect_uri, state=state, verifier=secret)

    async def proven(self, code: str, redirect_uri: str, secret: str) -> Proven:
        exchanged = await self._oauth.exchange(code, redirect_uri, secret)
        return Proven(exchanged.grant, clean_name(exchanged.display_name))

    async def give_back(self, grant: Grant) -> None:
        try:
            await self._oauth.revoke(grant.access_token)
        except ProviderError as error:
            _log.warning("Discord could not be told that a token is needed no longer", error=str(error))


def way_of(services: Services, provider: str) -> Way:
    """The way to a provider; NotFound, in words for the operator, where it is not set up."""
    if provider == TWITCH and services.twitch is not None:
        return _Twitch(services, services.twitch)
    if provider == DISCORD and services.discord_login is not None:
        return _Discord(services.discord_login)
    raise NotFound(NOT_SET_UP.get(provider, "There is nothing at this address."))


def ways(services: Services) -> tuple[str, ...]:
    """The providers somebody can log in with here."""
    there = {TWITCH: services.twitch, DISCORD: services.discord_login}
    return tuple(provider for provider, api in there.items() if api is not None)
