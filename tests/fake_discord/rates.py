"""Rate limits: a bucket per route and main parameter, and one for everything the bot asks."""

import asyncio
import math
from collections import deque
from hashlib import sha256

from aiohttp import web

from tests.fake_discord.world import DiscordError, now_utc

MAJOR = ("channel_id", "guild_id", "token")


class Rates:
    """`per_route` requests in `seconds` on each route (in one channel, guild, interaction); `whole` a second in all.

    Discord's own numbers per route are unpublished and smaller; set them where waiting is the subject.
    """

    def __init__(self) -> None:
        self.per_route, self.seconds = 50, 1.0
        self.whole = 50
        self._spent: dict[str, deque[float]] = {}

    def spend(self, request: web.Request, *, whole: bool) -> tuple[dict[str, str], DiscordError | None]:
        """Headers for the answer, and the refusal when it was too much; interaction routes are not in the `whole`."""
        if whole and (wait := self._over("", self.whole, 1.0)):
            return _refused(wait, {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}, everywhere=True)
        route = request.match_info.route.resource
        major = ":".join(request.match_info.get(name, "") for name in MAJOR)
        key = f"{request.method} {route.canonical if route else ''} {major}"
        wait = self._over(key, self.per_route, self.seconds)
        spent = self._spent[key]
        after = spent[0] + self.seconds - asyncio.get_running_loop().time() if spent else self.seconds
        headers = {
            "X-RateLimit-Limit": str(self.per_route),
            "X-RateLimit-Remaining": str(max(0, self.per_route - len(spent))),
            "X-RateLimit-Reset": f"{now_utc().timestamp() + after:.3f}",
            "X-RateLimit-Reset-After": f"{max(after, 0.001):.3f}",
            "X-RateLimit-Bucket": sha256(key.rpartition(" ")[0].encode()).hexdigest()[:32],
        }
        return _refused(wait, headers | {"X-RateLimit-Scope": "user"}, everywhere=False) if wait else (headers, None)

    def _over(self, key: str, most: int, window: float) -> float:
        """Counts one more; how many seconds to wait when it is one too many, else 0."""
        now = asyncio.get_running_loop().time()
        spent = self._spent.setdefault(key, deque())
        while spent and spent[0] <= now - window:
            spent.popleft()
        if len(spent) >= most:
            return spent[0] + window - now
        spent.append(now)
        return 0.0


def _refused(wait: float, headers: dict[str, str], *, everywhere: bool) -> tuple[dict[str, str], DiscordError]:
    error = DiscordError(429, 0, "You are being rate limited.", retry_after=round(wait, 3))
    error.body = {"message": "You are being rate limited.", "retry_after": round(wait, 3), "global": everywhere}
    # Without Via discord.py takes a 429 for a ban by Cloudflare.
    return headers | {"Retry-After": str(math.ceil(wait)), "Via": "1.1 google"}, error
