"""Spotify, off unless the operator brings an application. What it says stays in quarantine (R6)."""

import asyncio
import base64
import re
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from providers.address import Link
from providers.catalogue.budget import Budget
from providers.catalogue.client import Missing, Said
from providers.catalogue.facts import KEPT, Absent, Kind, QuarantinedFacts
from providers.catalogue.setup import Setup
from providers.catalogue.shapes import Malformed, Row, cleaned, flag, identifier, length, line, part, parts, words
from providers.http import Answer

API_URL = "https://api.spotify.com"
LOGIN_URL = "https://accounts.spotify.com"
BASES = (API_URL, LOGIN_URL)

_KEPT = KEPT["spotify"] or timedelta(0)
_EARLY_SECONDS = 60
_TOKEN = re.compile(r"[!-~]{1,2048}")


class _Token(NamedTuple):
    text: str
    until: datetime


class Spotify:
    """Tracks and episodes, for Spotify's own card."""

    def __init__(self, setup: Setup, client_id: str, client_secret: str) -> None:
        budget = Budget(setup.clock)  # a rolling 30 s window of unknown size: 429 says when it is full
        self._client = setup.client("spotify", API_URL, budget, _judge)
        self._login = setup.client("spotify", LOGIN_URL, budget, _judge)
        pair = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._basic = {"Authorization": f"Basic {pair}"}
        self._market = setup.shops[0].upper()
        self._token: _Token | None = None
        self._renewing = asyncio.Lock()

    async def look_up(self, link: Link, *, now: datetime) -> QuarantinedFacts:
        """What Spotify says of this track or episode; raises Missing."""
        if link.kind not in ("track", "episode"):
            raise Missing(Absent(Kind.UNSUPPORTED))
        token = await self._current(now)
        try:
            return await self._ask(link, token, now)
        except Missing as missing:
            if missing.absent.code != "token":
                raise
        self._token = None if self._token == token else self._token
        return await self._ask(link, await self._current(now), now)

    async def _ask(self, link: Link, token: _Token, now: datetime) -> QuarantinedFacts:
        episode = link.kind == "episode"
        path = f"/v1/{link.kind}s/{quote(link.media_id, safe='')}"
        return await self._client.read(
            path,
            lambda row: _facts(row, link.media_id, now),
            now=now,
            # Without a market an episode is not found; with one a track may come back as another.
            params={"market": self._market} if episode else None,
            headers={"Authorization": f"Bearer {token.text}"},
        )

    async def _current(self, now: datetime) -> _Token:
        async with self._renewing:
            if self._token is None or self._token.until <= now:
                self._token = await self._login.post(
                    "/api/token",
                    lambda row: _token(row, now),
                    now=now,
                    data={"grant_type": "client_credentials"},
                    headers=self._basic,
                )
            return self._token


def _token(row: Row, now: datetime) -> _Token:
    text, seconds = line(row, "access_token"), length(row, "expires_in") or _EARLY_SECONDS
    if not _TOKEN.fullmatch(text):  # a header would refuse it later, and name it in its refusal
        raise Malformed("access_token is not a token")
    return _Token(text, now + timedelta(seconds=seconds - _EARLY_SECONDS))


def _facts(row: Row, media_id: str, now: datetime) -> QuarantinedFacts:
    if identifier(row, "id") != media_id:
        raise Malformed("it is about another one")
    names = [name for name in (line(each, "name") for each in parts(row, "artists")) if name]
    return QuarantinedFacts(
        media_id=media_id,
        quarantined_title=words(row, "name"),
        quarantined_by=cleaned(", ".join(names)) or words(part(row, "show"), "name"),
        quarantined_seconds=length(row, "duration_ms", 1_000),
        playable=flag(row, "is_playable"),
        fetched_at=now,
        expires_at=now + _KEPT,
    )


def _judge(answer: Answer, now: datetime) -> Said | None:
    if answer.status == 401:
        return Said(Kind.REFUSED, "token")
    error = answer.json.get("error") if isinstance(answer.json, dict) else None
    reason = error.get("reason") if isinstance(error, dict) else None
    if answer.status == 429 and reason == "QUOTA_EXCEEDED":
        return Said(Kind.QUOTA, reason)
    return None


def open_spotify(setup: Setup) -> Spotify | None:
    """None, unless the operator gave an application's id and secret."""
    keys = setup.keys
    return Spotify(setup, keys.spotify_id, keys.spotify_secret) if keys.spotify_id and keys.spotify_secret else None
