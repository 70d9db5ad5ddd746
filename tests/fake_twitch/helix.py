"""Helix: users, channels, streams, moderated channels."""

from aiohttp import web

from tests.fake_twitch.access import page, take_page
from tests.fake_twitch.events import category_id
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.tokens import Token
from tests.fake_twitch.world import ApiError, Json, Stream, World, second

MOST_IDS = 100
USUAL_PAGE = 20


class Helix:
    """The reads about people and their channels."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def users(self, request: web.Request, token: Token) -> web.Response:
        """GET users: with a user token and no filter, oneself."""
        ids, logins = request.query.getall("id", []), request.query.getall("login", [])
        if not ids and not logins:
            if token.user_id is None:
                raise ApiError(400, "The id or login query parameter is required")
            ids = [token.user_id]
        return web.json_response({"data": [_user(user) for user in self._people(ids, logins)]})

    async def channels(self, request: web.Request, token: Token) -> web.Response:
        """GET channels."""
        ids = request.query.getall("broadcaster_id", [])
        if not ids:
            raise ApiError(400, "The broadcaster_id query parameter is required")
        return web.json_response({"data": [self._channel(user) for user in self._people(ids, [])]})

    async def streams(self, request: web.Request, token: Token) -> web.Response:
        """GET streams: those live now; reruns and premieres are not among them."""
        ids, logins = request.query.getall("user_id", []), request.query.getall("user_login", [])
        everyone = self._world.people.everyone()
        asked = self._people(ids, logins) if ids or logins else everyone
        live = [user for user in asked if (stream := self._stream(user)) and stream.type == "live"]
        items, pagination = take_page(live, request.query, self._world.page_size, USUAL_PAGE)
        return web.json_response(page([self._live(user, self._world.streams[user.id]) for user in items], pagination))

    async def moderated(self, request: web.Request, token: Token) -> web.Response:
        """GET moderation/channels: one's own, and only with the scope for it."""
        user_id = request.query.get("user_id", "")
        if not user_id:
            raise ApiError(400, "The user_id query parameter is required")
        token.require_user(user_id)
        token.require("user:read:moderated_channels")
        people = self._world.people
        mine = [channel for channel in people.everyone() if (channel.id, user_id) in people.moderators]
        items, pagination = take_page(mine, request.query, self._world.page_size, USUAL_PAGE)
        return web.json_response(page([_broadcaster(channel) for channel in items], pagination))

    def _people(self, ids: list[str], logins: list[str]) -> list[FakeUser]:
        if len(ids) + len(logins) > MOST_IDS:
            raise ApiError(400, "The request exceeded the maximum allowed number of query parameters")
        if not all(user_id.isdigit() for user_id in ids):
            raise ApiError(400, "The ID in the query parameter is not valid")
        people = self._world.people
        found = [people.by_id(user_id) for user_id in ids] + [people.by_login(login) for login in logins]
        return list(dict.fromkeys(user for user in found if user))

    def _stream(self, user: FakeUser) -> Stream | None:
        return self._world.streams.get(user.id)

    def _channel(self, user: FakeUser) -> Json:
        info = self._world.channel(user.id)
        return {
            **_broadcaster(user),
            "broadcaster_language": "en",
            "game_id": category_id(info.category),
            "game_name": info.category,
            "title": info.title,
            "delay": 0,
            "tags": [],
            "content_classification_labels": [],
            "is_branded_content": False,
        }

    def _live(self, user: FakeUser, stream: Stream) -> Json:
        info = self._world.channel(user.id)
        return {
            "id": stream.id,
            "user_id": user.id,
            "user_login": user.login,
            "user_name": user.display_name,
            "game_id": category_id(info.category),
            "game_name": info.category,
            "type": "live",
            "title": info.title,
            "tags": [],
            "viewer_count": 64,
            "started_at": second(stream.started_at),
            "language": "en",
            "thumbnail_url": f"https://pictures.example/{user.login}-{{width}}x{{height}}.jpg",
            "tag_ids": [],
            "is_mature": False,
        }


def _broadcaster(user: FakeUser) -> Json:
    return {
        "broadcaster_id": user.id,
        "broadcaster_login": user.login,
        "broadcaster_name": user.display_name,
    }


def _user(user: FakeUser) -> Json:
    return {
        "id": user.id,
        "login": user.login,
        "display_name": user.display_name,
        "type": "",
        "broadcaster_type": "",
        "description": "",
        "profile_image_url": f"https://pictures.example/{user.id}.png",
        "offline_image_url": "",
        "view_count": 0,
        "created_at": second(user.created_at),
    }
