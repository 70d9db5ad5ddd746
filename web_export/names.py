"""Which account of Twitch an address names today: names are only lent, and decide nothing (ID-1)."""

import re
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from commands.services import Services
from storage import connections
from web_export.limits import Bucket, Rate, TooMany

KNOWN_FOR = timedelta(hours=1)
"""How long an answer of Twitch's is good; the store may know one for a day, from its streamer's own login."""
REMEMBERED = 1000
ASKED = Rate(60, 60)
"""How often Twitch is asked, for everybody together: its answers are rationed, and the bot in chat needs them too."""
_LOGIN = re.compile(r"[a-z0-9_]{1,25}", re.ASCII)
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)


class _Known(NamedTuple):
    login: str
    user_id: str | None
    """None: nobody is called so."""
    at: datetime


class Names:
    """What Twitch said lately, in memory: reading a page changes nothing in the store."""

    def __init__(self, services: Services, platform: str = "twitch") -> None:
        self._services = services
        self._platform = platform
        self._asked = Bucket(ASKED)
        self._by_login: OrderedDict[str, _Known] = OrderedDict()
        self._by_id: OrderedDict[str, _Known] = OrderedDict()

    async def id_of(self, word: str) -> str | None:
        """The id of the account that has this login now; ProviderError when only Twitch could tell, and cannot."""
        login = word.lower()
        if not _LOGIN.fullmatch(login):
            return None
        known = self._fresh(self._by_login, login)
        if known is not None:
            return known.user_id
        kept = await connections.called(self._services.store, self._platform, login, self._services.clock())
        if kept is not None:
            renamed = self._fresh(self._by_id, kept)
            return kept if renamed is None or renamed.login == login else None
        return (await self._ask(login=login)).user_id

    async def login_of(self, user_id: str) -> str | None:
        """What the account with this id is called now; None when there is none, or Twitch is not set up."""
        if not _ID.fullmatch(user_id):
            return None
        known = self._fresh(self._by_id, user_id)
        if known is not None:
            return known.login or None
        kept = await connections.login_of(self._services.store, self._platform, user_id, self._services.clock())
        return kept or (await self._ask(user_id=user_id)).login or None

    async def _ask(self, *, login: str = "", user_id: str | None = None) -> _Known:
        now = self._services.clock()
        if self._services.twitch is None:
            return _Known(login, None, now)
        if wait := self._asked.take(b"", now.timestamp()):
            raise TooMany("Too many names are being looked up. Try again in a moment.", wait)
        helix = self._services.twitch.helix
        found = await (helix.users(logins=[login]) if login else helix.users(ids=[user_id or ""]))
        for user in found:
            self._remember(_Known(user.login, user.id, now))
        if not found:
            self._remember(_Known(login, user_id, now))
        return _Known(found[0].login, found[0].id, now) if found else _Known("", None, now)

    def _remember(self, known: _Known) -> None:
        if known.login:
            self._by_login[known.login] = known
        if known.user_id is not None:
            before = self._by_id.get(known.user_id)
            if before is not None and before.login != known.login:
                self._by_login.pop(before.login, None)
            self._by_id[known.user_id] = known
        for names in (self._by_login, self._by_id):
            while len(names) > REMEMBERED:
                names.popitem(last=False)

    def _fresh(self, names: OrderedDict[str, _Known], key: str) -> _Known | None:
        known = names.get(key)
        return known if known is not None and self._services.clock() - known.at < KNOWN_FOR else None
