"""Helix: videos, clips, stream markers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from aiohttp import web

from tests.fake_twitch.access import json_body, page, take_page
from tests.fake_twitch.helix import USUAL_PAGE
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.tokens import Token, Tokens
from tests.fake_twitch.world import ApiError, Clip, Json, Marker, Video, World, second

DESCRIPTION_LENGTH = 140
CLIP_SCOPES = ("editor:manage:clips", "channel:manage:clips")


class Videos:
    """What can be watched again.

    A clip is in Get Clips `clip_seconds` after it was asked for (on Twitch, sometimes never: use infinity);
    `without_vod` holds ids of channels that keep no archives.
    """

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world, self._tokens = world, tokens
        self.clip_seconds = 0.0
        self.without_vod: set[str] = set()

    def archive(
        self,
        channel: FakeUser,
        stream_id: str,
        created_at: datetime,
        duration_seconds: int,
        muted: Sequence[tuple[int, int]] = (),
        *,
        title: str = "",
        video_id: str | None = None,
    ) -> str:
        """An archive of a stream, `muted` as (offset, duration); its id. One with the same `video_id` is replaced."""
        title = title or self._world.channel(channel.id).title
        video = Video(
            video_id or self._world.number(), channel, stream_id, title, created_at, duration_seconds, tuple(muted)
        )
        self._world.videos = [known for known in self._world.videos if known.id != video.id] + [video]
        self._world.changed()
        return video.id

    async def videos(self, request: web.Request, token: Token) -> web.Response:
        """GET videos: newest first."""
        query = request.query
        if ("id" in query) == ("user_id" in query):
            raise ApiError(400, "The request must specify either the id or user_id query parameter")
        if query.get("type", "all") not in ("all", "archive", "highlight", "upload"):
            raise ApiError(400, "The value in the type query parameter is not valid")
        wanted = set(query.getall("id", []))
        found = [
            video for video in self._world.videos if video.id in wanted or video.channel.id == query.get("user_id")
        ]
        if wanted and not found:
            raise ApiError(404, "The ID in the id query parameter was not found")
        if query.get("type", "all") not in ("all", "archive"):
            found = []
        found.sort(key=lambda video: video.created_at, reverse=True)
        items, pagination = take_page(found, query, self._world.page_size, USUAL_PAGE)
        return web.json_response(page([_video(video) for video in items], pagination))

    async def clips(self, request: web.Request, token: Token) -> web.Response:
        """GET clips."""
        query = request.query
        if ("id" in query) == ("broadcaster_id" in query):
            raise ApiError(400, "The id or broadcaster_id query parameter is required")
        wanted, now = set(query.getall("id", [])), self._world.clock()
        found = [
            clip
            for clip in self._world.clips
            if (clip.id in wanted or clip.channel.id == query.get("broadcaster_id"))
            and (now - clip.created_at).total_seconds() >= self.clip_seconds
        ]
        items, pagination = take_page(found, query, self._world.page_size, USUAL_PAGE)
        return web.json_response(page([self._clip(clip) for clip in items], pagination))

    async def clip_live(self, request: web.Request, token: Token) -> web.Response:
        """POST clips: of what has just been streamed."""
        token.require("clips:edit")
        if token.user_id is None:
            raise ApiError(401, "Missing User OAUTH Token")
        channel = self._broadcaster(request)
        duration = _duration(request)
        if channel.id not in self._world.streams:
            raise ApiError(404, "Clipping is not possible for an offline channel.")
        title = request.query.get("title") or self._world.channel(channel.id).title
        return self._made(Clip(self._slug(), channel, token.user_id, title, duration, self._world.clock()))

    async def clip_video(self, request: web.Request, token: Token) -> web.Response:
        """POST videos/clips: `vod_offset` is where the clip ends."""
        query = request.query
        missing = [name for name in ("editor_id", "vod_id", "vod_offset", "title") if not query.get(name)]
        channel, duration = self._broadcaster(request), _duration(request)
        if missing:
            raise ApiError(400, f"The {missing[0]} query parameter is required")
        self._check_editor(token, channel, query["editor_id"])
        video = next((each for each in self._world.videos if each.id == query["vod_id"]), None)
        if video is None or video.channel is not channel:
            raise ApiError(404, "The VOD is not found")
        offset = int(query["vod_offset"]) if query["vod_offset"].isdigit() else -1
        if not duration <= offset <= video.duration_seconds:
            raise ApiError(400, "The vod_offset must lie in the VOD and be greater than or equal to the duration")
        clip = Clip(self._slug(), channel, query["editor_id"], query["title"], duration, self._world.clock())
        return self._made(replace(clip, video_id=video.id, vod_offset=offset))

    async def mark(self, request: web.Request, token: Token) -> web.Response:
        """POST streams/markers."""
        token.require("channel:manage:broadcast")
        body = await json_body(request)
        user_id, description = str(body.get("user_id", "")), str(body.get("description", ""))
        if not user_id:
            raise ApiError(400, "The user_id field is required")
        if len(description) > DESCRIPTION_LENGTH:
            raise ApiError(400, "The length of the string in the description field is too long")
        if token.user_id is None:
            raise ApiError(401, "Missing User OAUTH Token")
        if token.user_id != user_id and (user_id, token.user_id) not in self._world.people.editors:
            raise ApiError(403, "The user is not authorized to create video markers for this user")
        stream = self._world.streams.get(user_id)
        if stream is None or stream.type != "live" or user_id in self.without_vod:
            raise ApiError(404, "The user is not streaming live or has not enabled video on demand")
        now = self._world.clock()
        position = int((now - stream.started_at) / timedelta(seconds=1))
        marker = Marker(self._world.number(), user_id, description, position, now)
        self._world.markers.append(marker)
        self._world.changed()
        shape = {"id": marker.id, "created_at": second(now), "description": description, "position_seconds": position}
        return web.json_response({"data": [shape]})

    def _broadcaster(self, request: web.Request) -> FakeUser:
        channel = self._world.people.by_id(request.query.get("broadcaster_id"))
        if channel is None:
            raise ApiError(400, "The ID in the broadcaster_id query parameter was not found")
        return channel

    def _check_editor(self, token: Token, channel: FakeUser, editor_id: str) -> None:
        token.require(*CLIP_SCOPES)
        if token.kind == "user":
            token.require_user(editor_id)
        elif not any(self._tokens.granted(editor_id, scope) for scope in CLIP_SCOPES):
            raise ApiError(401, f"Missing scope: {' or '.join(CLIP_SCOPES)}")
        if editor_id != channel.id and (channel.id, editor_id) not in self._world.people.editors:
            raise ApiError(403, "The user defined by the editor_id is not authorized to create clips")

    def _slug(self) -> str:
        return f"FakeClip{self._world.number()}"

    def _made(self, clip: Clip) -> web.Response:
        self._world.clips.append(clip)
        self._world.changed()
        address = f"https://www.twitch.tv/{clip.channel.login}/clip/{clip.id}"
        return web.json_response({"data": [{"id": clip.id, "edit_url": address}]}, status=202)

    def _clip(self, clip: Clip) -> Json:
        creator = self._world.people.by_id(clip.creator_id)
        start = None if clip.vod_offset is None else int(clip.vod_offset - clip.duration)
        return {
            "id": clip.id,
            "url": f"https://clips.twitch.tv/{clip.id}",
            "embed_url": f"https://clips.twitch.tv/embed?clip={clip.id}",
            "broadcaster_id": clip.channel.id,
            "broadcaster_name": clip.channel.display_name,
            "creator_id": clip.creator_id,
            "creator_name": creator.display_name if creator else "",
            "video_id": clip.video_id,
            "game_id": "",
            "language": "en",
            "title": clip.title,
            "view_count": 0,
            "created_at": second(clip.created_at),
            "thumbnail_url": f"https://pictures.example/{clip.id}.jpg",
            "duration": clip.duration,
            "vod_offset": start,
            "is_featured": False,
        }


def _duration(request: web.Request) -> float:
    try:
        duration = round(float(request.query.get("duration", "30")), 1)
    except ValueError:
        duration = 0.0
    if not 5 <= duration <= 60:
        raise ApiError(400, "The value in the duration query parameter is not valid")
    return duration


def _video(video: Video) -> Json:
    hours, rest = divmod(video.duration_seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    length = f"{f'{hours}h' if hours else ''}{f'{minutes}m' if hours or minutes else ''}{seconds}s"
    muted = [{"duration": duration, "offset": offset} for offset, duration in video.muted]
    return {
        "id": video.id,
        "stream_id": video.stream_id,
        "user_id": video.channel.id,
        "user_login": video.channel.login,
        "user_name": video.channel.display_name,
        "title": video.title,
        "description": "",
        "created_at": second(video.created_at),
        "published_at": second(video.created_at),
        "url": f"https://www.twitch.tv/videos/{video.id}",
        "thumbnail_url": "",
        "viewable": "public",
        "view_count": 7,
        "language": "en",
        "type": "archive",
        "duration": length,
        "muted_segments": muted or None,
    }
