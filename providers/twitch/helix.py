"""Twitch's Helix API: the calls Moments makes, each with its limits and the token it needs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import stamina

from moments.errors import NotAuthorised, ProviderRefused, ProviderUnreadable
from providers.http import Answer, Http, Params
from providers.twitch import shapes
from providers.twitch.answers import accepted, token_refused, worth_repeating
from providers.twitch.endpoints import Endpoints
from providers.twitch.oauth import TwitchOAuth
from providers.twitch.tokens import AppToken, BorrowedToken, GrantStore, Token, UserToken, UserTokens

T = TypeVar("T")

IDS_AT_ONCE = 100
PAGE = 100
MOST_PAGES = 100
"""More pages than that are no list but a loop."""
MOST_SUBSCRIPTION_PAGES = 1_000
"""The same of subscriptions, six a channel and a hundred a page: 16,000 channels."""
READ_ATTEMPTS = 3
MARKER_LENGTH = 140
"""Characters of a marker's description; Twitch refuses a longer one."""


class Helix:
    """Typed calls. Reads are repeated when Twitch stumbles, writes never: a second message or clip cannot be undone.

    All raise ProviderDown, ProviderBusy (429; `retry_after`), NotAuthorised, ProviderRefused (another 4xx) and
    ProviderUnreadable. All may be cancelled, and called at the same time.
    """

    def __init__(
        self,
        http: Http,
        endpoints: Endpoints,
        oauth: TwitchOAuth,
        tokens: GrantStore,
        clock: Callable[[], datetime],
    ) -> None:
        self.user_tokens = UserTokens(oauth, tokens)
        """The one door for refreshing, the hourly validation's too."""
        self._app = AppToken(oauth)
        self._http = http
        self._base = f"{endpoints.api}/helix"
        self._client_id = oauth.client_id
        self._clock = clock

    async def settle(self) -> None:
        """Wait for token refreshes under way: before the HTTP client and the store are closed."""
        await self.user_tokens.settle()
        await self._app.settle()

    async def users(self, ids: Sequence[str] = (), logins: Sequence[str] = ()) -> list[shapes.User]:
        """The accounts that exist of these, in any order. App token."""
        wanted = [("id", user_id) for user_id in ids] + [("login", login) for login in logins]
        return await self._each("/users", wanted, shapes.user, page=None)

    async def streams(self, user_ids: Sequence[str]) -> list[shapes.Stream]:
        """The streams on the air now of these accounts, reruns among them. App token."""
        return await self._each("/streams", [("user_id", user_id) for user_id in user_ids], shapes.stream)

    async def channels(self, user_ids: Sequence[str]) -> list[shapes.ChannelInfo]:
        """What these channels are set to: title, category. App token."""
        return await self._each(
            "/channels", [("broadcaster_id", user_id) for user_id in user_ids], shapes.channel, page=None
        )

    async def videos(self, user_id: str) -> list[shapes.Video]:
        """The account's newest 100 archives of streams, newest first; also that of a running one. App token."""
        query = [("user_id", user_id), ("type", "archive"), ("sort", "time"), ("first", str(PAGE))]
        return await self._rows("GET", "/videos", self._app, shapes.video, params=query)

    async def clips(self, ids: Sequence[str]) -> list[shapes.Clip]:
        """The clips that exist of these. App token."""
        return await self._each("/clips", [("id", clip_id) for clip_id in ids], shapes.clip)

    async def by_id(self, path: str, ids: Sequence[str], shape: Callable[[shapes.Row], T]) -> list[T]:
        """What exists of these (at most 100) in `/videos` or `/clips`, in the caller's own shape. App token.

        ProviderRefused 404 when none of the videos does.
        """
        return await self._rows("GET", path, self._app, shape, params=[("id", each) for each in ids])

    async def moderated_channels(self, user_id: str, access_token: str) -> list[shapes.ModeratedChannel]:
        """The channels this account moderates, with its own token of scope MODERATES_SCOPE, which is kept nowhere."""
        token = BorrowedToken(access_token)
        return await self._pages("/moderation/channels", [("user_id", user_id)], shapes.moderated, token)

    async def send_message(
        self, channel_id: str, sender_id: str, text: str, reply_to: str | None = None
    ) -> shapes.Sent:
        """Say something of at most 500 characters, in thread with the message `reply_to`; look at `is_sent`.

        App token, for the bot's badge: needs the bot's `user:bot` and the streamer's `channel:bot`, or the bot to
        moderate there. ProviderRefused 403 when it may not, 422 when too long.
        """
        words = {"broadcaster_id": channel_id, "sender_id": sender_id, "message": text}
        if reply_to is not None:
            words["reply_parent_message_id"] = reply_to
        return await self._one("POST", "/chat/messages", self._app, shapes.sent, json=words)

    async def create_marker(self, user_id: str, description: str) -> shapes.Marker:
        """Mark now in the account's stream; a description over 140 characters is cut. Its own token, MARKERS_SCOPE.

        ProviderRefused 404 when it is not live or keeps no archive, 403 when it is not its own.
        """
        said = {"user_id": user_id, "description": description[:MARKER_LENGTH]}
        return await self._one("POST", "/streams/markers", self._user(user_id), shapes.marker, json=said)

    async def create_clip_from_vod(
        self, user_id: str, video_id: str, *, ends_at_seconds: int, duration_seconds: int, title: str
    ) -> shapes.ClipMade:
        """Have a clip of 5 to 60 seconds made that ends at this second of the account's archive. CLIPS_SCOPE.

        Its own token. `ends_at_seconds` is at least the duration. ProviderRefused: 400 (`code` says why), 403 when
        clips are off or restricted, 404 when the archive is gone. Ask `clips` until it is there.
        """
        query = {
            "editor_id": user_id,
            "broadcaster_id": user_id,
            "vod_id": video_id,
            "vod_offset": str(ends_at_seconds),
            "duration": str(duration_seconds),
            "title": title,
        }
        return await self._one("POST", "/videos/clips", self._user(user_id), shapes.clip_made, params=query)

    async def subscriptions(self) -> list[shapes.Subscription]:
        """All EventSub subscriptions of this client, whatever their status. App token."""
        return await self._pages(
            "/eventsub/subscriptions", [], shapes.subscription, first=None, most=MOST_SUBSCRIPTION_PAGES
        )

    async def subscribe(
        self,
        type: str,  # noqa: A002 -- Twitch's own name
        version: str,
        condition: Mapping[str, str],
        conduit_id: str,
    ) -> shapes.Subscription:
        """Have these events sent to the conduit. App token.

        ProviderRefused 409 when that subscription is there already, 403 when its owner has not granted it.
        """
        wanted = {
            "type": type,
            "version": version,
            "condition": dict(condition),
            "transport": {"method": "conduit", "conduit_id": conduit_id},
        }
        return await self._one("POST", "/eventsub/subscriptions", self._app, shapes.subscription, json=wanted)

    async def unsubscribe(self, subscription_id: str) -> None:
        """End a subscription; one that is gone already is fine. App token."""
        await self._delete("/eventsub/subscriptions", subscription_id)

    async def conduits(self) -> list[shapes.Conduit]:
        """All conduits of this client, at most five. App token."""
        return await self._rows("GET", "/eventsub/conduits", self._app, shapes.conduit)

    async def create_conduit(self, shards: int) -> shapes.Conduit:
        """A new conduit; ProviderBusy when there are five already. App token."""
        return await self._one("POST", "/eventsub/conduits", self._app, shapes.conduit, json={"shard_count": shards})

    async def delete_conduit(self, conduit_id: str) -> None:
        """Delete a conduit with its subscriptions; one that is gone already is fine. App token."""
        await self._delete("/eventsub/conduits", conduit_id)

    async def shards(self, conduit_id: str) -> list[shapes.Shard]:
        """The conduit's shards as Twitch sees them; ProviderRefused 404 when the conduit is gone. App token."""
        return await self._pages("/eventsub/conduits/shards", [("conduit_id", conduit_id)], shapes.shard, first=None)

    def _user(self, user_id: str) -> Token:
        return UserToken(self.user_tokens, user_id)

    async def _each(
        self,
        path: str,
        wanted: Iterable[tuple[str, str]],
        shape: Callable[[shapes.Row], T],
        page: int | None = PAGE,  # None for what knows no pages
    ) -> list[T]:
        found: list[T] = []
        for some in _portions(list(dict.fromkeys(wanted))):
            found += await self._pages(path, some, shape, first=page)
        return found

    async def _pages(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        shape: Callable[[shapes.Row], T],
        token: Token | None = None,
        first: int | None = PAGE,
        most: int = MOST_PAGES,
    ) -> list[T]:
        asked, found = f"GET /helix{path}", list[T]()
        size = [("first", str(first))] if first else []
        after: list[tuple[str, str]] = []
        for _ in range(most):
            answer = await self._read(path, token or self._app, [*query, *size, *after])
            found += shapes.rows(answer.json, shape, asked)
            following = shapes.cursor(answer.json, asked)
            if following is None:
                return found
            after = [("after", following)]
        raise ProviderUnreadable(f"{asked}, its pages have no end")

    async def _rows(
        self,
        method: str,
        path: str,
        token: Token,
        shape: Callable[[shapes.Row], T],
        params: Params | None = None,
        json: object = None,
    ) -> list[T]:
        answer = await (
            self._read(path, token, params) if method == "GET" else self._call(method, path, token, params, json)
        )
        return shapes.rows(answer.json, shape, f"{method} /helix{path}")

    async def _one(
        self,
        method: str,
        path: str,
        token: Token,
        shape: Callable[[shapes.Row], T],
        params: Params | None = None,
        json: object = None,
    ) -> T:
        made = await self._rows(method, path, token, shape, params, json)
        if len(made) != 1:
            raise ProviderUnreadable(f"{method} /helix{path}, {len(made)} rows instead of one")
        return made[0]

    async def _delete(self, path: str, which: str) -> None:
        try:
            await self._call("DELETE", path, self._app, {"id": which})
        except ProviderRefused as error:
            if error.status != 404:
                raise

    async def _read(self, path: str, token: Token, params: Params | None = None) -> Answer:
        async for attempt in stamina.retry_context(
            on=worth_repeating, attempts=READ_ATTEMPTS, timeout=15, wait_initial=0.2, wait_max=2, wait_jitter=0.5
        ):
            with attempt:
                return await self._call("GET", path, token, params)
        raise AssertionError("stamina raises the last error itself")

    async def _call(
        self, method: str, path: str, token: Token, params: Params | None = None, json: object = None
    ) -> Answer:
        """Ask; after a 401 that another token may mend, once more with that."""
        asked = f"{method} /helix{path}"
        sent = await token.current()
        answer = await self._send(method, path, sent, params, json)
        if token_refused(answer):
            sent = await token.renewed(sent)
            answer = await self._send(method, path, sent, params, json)
            if token_refused(answer):
                await token.given_up(sent)
                raise NotAuthorised(f"{asked}: {answer.status}")
        return accepted(asked, answer, self._clock())

    async def _send(self, method: str, path: str, token: str, params: Params | None, json: object) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Client-Id": self._client_id}
        return await self._http.request(method, f"{self._base}{path}", params=params, json=json, headers=headers)


def _portions(entries: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(entries), IDS_AT_ONCE):
        yield entries[start : start + IDS_AT_ONCE]
