"""Discord's OAuth: asking a person, the code with its proof, and who it was; no token is kept (AUTH-2, AUTH-4)."""

import base64
import hashlib
import re
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderError, ProviderRefused, ProviderUnreadable
from moments.grants import Grant
from providers.http import Answer, Http

PLATFORM = "discord"
API = "https://discord.com/api"
LOGIN_SCOPE = "identify"
"""Who somebody is: id and names, no address and no servers."""
BUSY_SECONDS = 60.0
_TOKEN = re.compile(r"[!-~]{1,4096}")
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_LONGEST_NAME = 100
_SHORTEST_VERIFIER = 43


class Exchanged(NamedTuple):
    """What a code was good for: a token that is to be given back, and how its owner is called."""

    grant: Grant
    display_name: str


class DiscordOAuth:
    """`/oauth2/…` of one application.

    Whatever goes out with a secret raises ProviderDown, ProviderBusy, ProviderUnreadable and ProviderRefused, whose
    texts hold method, path and status alone.
    """

    def __init__(self, http: Http, api_url: str, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self._http = http
        self._client_secret = client_secret
        self._api = f"{api_url}/v10"
        self._page = f"{api_url.removesuffix('/api')}/oauth2/authorize"

    def authorize_url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """Where to send the browser; who agreed before sees the page, with their account on it, all the same."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": LOGIN_SCOPE,
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            "prompt": "consent",
        }
        return f"{self._page}?{urlencode(query)}"

    async def exchange(self, code: str, redirect_uri: str, verifier: str) -> Exchanged:
        """A code's token, and whose it is; the caller gives it back.

        ProviderRefused (status 400) for a code that is wrong, old, used or another walk's; NotAuthorised when more or
        less was granted than was asked. Never repeated: a code is good once.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        token, scopes = _token(await self._post("token", form | {"code_verifier": verifier}))
        grant = Grant(PLATFORM, "", "", token, "", scopes)
        try:
            if scopes != {LOGIN_SCOPE}:
                raise NotAuthorised("POST /oauth2/token: not the scope that was asked")
            return await self._owner(grant)
        except ProviderError:
            with suppress(ProviderError):
                await self.revoke(token)  # nobody else knows of it (AUTH-4)
            raise

    async def revoke(self, access_token: str) -> None:
        """Have Discord forget a token, and what was granted with it."""
        await self._post("token/revoke", {"token": access_token, "token_type_hint": "access_token"})

    async def _owner(self, grant: Grant) -> Exchanged:
        headers = {"Authorization": f"Bearer {grant.access_token}"}
        asked = "GET /users/@me"
        answer = _accepted(asked, await self._http.request("GET", f"{self._api}/users/@me", headers=headers))
        row = _object(answer, asked)
        user_id, login, shown = row.get("id"), row.get("username"), row.get("global_name")
        if not isinstance(user_id, str) or not _ID.fullmatch(user_id):
            raise ProviderUnreadable(f"{asked}: {answer.status}, id is not an id")
        if not isinstance(login, str) or not isinstance(shown, str | None):
            raise ProviderUnreadable(f"{asked}: {answer.status}, a name is not text")
        known = Grant(PLATFORM, user_id, login[:_LONGEST_NAME], grant.access_token, "", grant.scopes)
        return Exchanged(known, (shown or login)[:_LONGEST_NAME])

    async def _post(self, what: str, form: dict[str, str]) -> Answer:
        secrets = {"client_id": self.client_id, "client_secret": self._client_secret}
        answer = await self._http.request("POST", f"{self._api}/oauth2/{what}", data=secrets | form)
        return _accepted(f"POST /oauth2/{what}", answer)


def challenge(verifier: str) -> str:
    """What stands for the verifier in the address (RFC 7636, S256); ValueError for one that can be guessed."""
    if len(verifier) < _SHORTEST_VERIFIER:
        raise ValueError("A verifier has 43 characters at least.")
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _accepted(asked: str, answer: Answer) -> Answer:
    said = f"{asked}: {answer.status}"
    if 200 <= answer.status < 300:
        return answer
    if answer.status == 429:
        raise ProviderBusy(said, BUSY_SECONDS)
    if answer.status >= 500:
        raise ProviderDown(said)
    word = answer.json.get("error") if isinstance(answer.json, dict) else None
    known = word if word in _REASONS else ""
    if answer.status == 401 and known != "invalid_client":
        raise NotAuthorised(said)
    raise ProviderRefused(said, answer.status, known)


_REASONS = frozenset({"invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"})
"""The reasons of RFC 6749 that are told apart; any other word is not passed on."""


def _token(answer: Answer) -> tuple[str, frozenset[str]]:
    asked = "POST /oauth2/token"
    row = _object(answer, asked)
    token, scopes = row.get("access_token"), row.get("scope")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ProviderUnreadable(f"{asked}: {answer.status}, access_token is not a token")
    if not isinstance(scopes, str):
        raise ProviderUnreadable(f"{asked}: {answer.status}, scope is not a list of words")
    return token, frozenset(scopes.split())


def _object(answer: Answer, asked: str) -> dict[str, Any]:
    if not isinstance(answer.json, dict):
        raise ProviderUnreadable(f"{asked}: {answer.status}, not an object")
    return answer.json
