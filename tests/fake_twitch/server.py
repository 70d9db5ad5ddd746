"""A Twitch of our own on a free port: people, OAuth, Helix and EventSub, and every way they can fail."""

from collections.abc import Iterable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.fake_twitch.access import Access
from tests.fake_twitch.chat import Chat
from tests.fake_twitch.conduits import Conduits
from tests.fake_twitch.control import Control
from tests.fake_twitch.events import Events
from tests.fake_twitch.eventsub import EventSub
from tests.fake_twitch.helix import Helix
from tests.fake_twitch.oauth import OAuth
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.sockets import Session, Sockets
from tests.fake_twitch.tokens import Tokens
from tests.fake_twitch.videos import Videos
from tests.fake_twitch.world import Clock, World, now_utc
from tests.faults import Faults

__all__ = ["FakeTwitch", "FakeUser"]


class FakeTwitch(World):
    """`async with FakeTwitch() as twitch:` and point MOMENTS_TWITCH_API_URL, _AUTH_URL, _EVENTSUB_URL at it.

    The rooms (`tokens`, `oauth`, `sockets`, `faults`, `conduits`, `eventsub`, `chat`, `videos`, `people`) hold the
    switches; what tests do most is here under a short name. `clock` may be replaced at any time.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Clock = now_utc,
        client_id: str = "fake0client0id",
        client_secret: str = "fake0client0secret0of0the0application",  # noqa: S107 - of this fake alone
    ) -> None:
        super().__init__(clock, client_id, client_secret)
        self.port = port
        self.faults = Faults(_says_no)
        self.tokens = Tokens(self)
        self.oauth = OAuth(self, self.tokens)
        self.sockets = Sockets(self)
        self.conduits = Conduits(self, self.sockets)
        self.eventsub = EventSub(self, self.tokens, self.sockets, self.conduits)
        self.events = Events(self, self.eventsub)
        self.chat = Chat(self, self.tokens, self.events)
        self.videos_room = Videos(self, self.tokens)
        self.access = Access(self, self.tokens)
        self._connect_rooms()
        self._short_names()
        self._runner = web.AppRunner(self._app(), handle_signals=False, access_log=None, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        address = self._runner.addresses[0]
        self.port = int(address[1])
        self.sockets.url = self.eventsub_url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.sockets.stop()
        await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        """The base in front of its /helix/… paths."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        """The base in front of its /oauth2/… paths."""
        return self.api_url

    @property
    def eventsub_url(self) -> str:
        """The websocket."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def redirect_uris(self) -> set[str]:
        """Those registered: add yours."""
        return self.oauth.redirect_uris

    def routes(self) -> Iterable[web.AbstractRoute]:
        """All it answers."""
        return self._runner.app.router.routes()

    async def revoke(self, user: FakeUser) -> None:
        """The person disconnects the application: tokens are dead, subscriptions that needed them are revoked."""
        self.tokens.end_grants(user)
        await self.eventsub.review()
        await self.events.authorization(user, "revoke")

    async def remove_moderator(self, channel: FakeUser, user: FakeUser) -> None:
        """Also ends subscriptions that stood on it."""
        self.people.moderators.discard((channel.id, user.id))
        await self.eventsub.review()

    async def remove_user(self, user: FakeUser) -> None:
        """The account is deleted."""
        self.tokens.end_grants(user)
        self.people.forget(user)
        await self.eventsub.review()

    def make_moderator(self, channel: FakeUser, user: FakeUser) -> None:
        self.people.moderators.add((channel.id, user.id))

    def make_vip(self, channel: FakeUser, user: FakeUser) -> None:
        self.people.vips.add((channel.id, user.id))

    def make_subscriber(self, channel: FakeUser, user: FakeUser) -> None:
        self.people.subscribers.add((channel.id, user.id))

    def make_editor(self, channel: FakeUser, user: FakeUser) -> None:
        self.people.editors.add((channel.id, user.id))

    def _short_names(self) -> None:
        self.user, self.rename = self.people.user, self.people.rename
        self.authorise, self.asked = self.oauth.authorise, self.oauth.asked
        self.id_token_changes = self.oauth.id_token_changes
        self.mint, self.expire, self.persistent_401 = self.tokens.mint, self.tokens.expire, self.tokens.persistent_401
        self.say, self.event = self.events.say, self.events.event
        self.online, self.offline, self.update = self.events.online, self.events.offline, self.events.update
        self.delete_message, self.clear_user = self.events.delete_message, self.events.clear_user
        self.clear_chat, self.raid = self.events.clear_chat, self.events.raid
        self.archive = self.videos_room.archive
        self.redeliver, self.deliveries = self.eventsub.redeliver, self.eventsub.deliveries
        self.junk = self.sockets.junk
        self.drop_next, self.most_sent = self.chat.drop_next, self.chat.most_sent

    def _connect_rooms(self) -> None:
        self.oauth.on_revoked = self.eventsub.review
        self.conduits.on_deleted = self.eventsub.conduit_deleted
        self.sockets.on_moved, self.sockets.on_gone = self._moved, self._gone

    def _moved(self, old: Session, new: Session) -> None:
        self.conduits.moved(old, new)
        self.eventsub.moved(old, new)

    def _gone(self, session: Session, status: str) -> None:
        self.eventsub.gone(session, status)
        for conduit_id, shard in self.conduits.gone(session, status):
            self.sockets.start(self.events.shard_disabled(conduit_id, shard))

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self.access.record, self.faults.middleware])
        app.add_routes(self.oauth.routes())
        app.add_routes(Control(self).routes())
        app.router.add_get("/ws", self.sockets.handle)
        helix, videos, eventsub, conduits = Helix(self), self.videos_room, self.eventsub, self.conduits
        routes = {
            ("GET", "users"): helix.users,
            ("GET", "channels"): helix.channels,
            ("GET", "streams"): helix.streams,
            ("GET", "moderation/channels"): helix.moderated,
            ("GET", "videos"): videos.videos,
            ("GET", "clips"): videos.clips,
            ("POST", "clips"): videos.clip_live,
            ("POST", "videos/clips"): videos.clip_video,
            ("POST", "streams/markers"): videos.mark,
            ("POST", "chat/messages"): self.chat.send,
            ("GET", "eventsub/subscriptions"): eventsub.listed,
            ("POST", "eventsub/subscriptions"): eventsub.create,
            ("DELETE", "eventsub/subscriptions"): eventsub.delete,
            ("GET", "eventsub/conduits"): conduits.listed,
            ("POST", "eventsub/conduits"): conduits.create,
            ("PATCH", "eventsub/conduits"): conduits.update,
            ("DELETE", "eventsub/conduits"): conduits.delete,
            ("GET", "eventsub/conduits/shards"): conduits.shards,
            ("PATCH", "eventsub/conduits/shards"): conduits.assign,
        }
        for (method, path), route in routes.items():
            app.router.add_route(method, f"/helix/{path}", self.access.guard(route))
        return app


def _says_no(status: int) -> tuple[dict[str, Any], dict[str, str]]:
    return {"error": HTTPStatus(status).phrase, "status": status, "message": "a planned fault"}, {}
