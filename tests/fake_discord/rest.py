"""The bot's own routes: who it is, its commands, messages, guilds, members, channels."""

from aiohttp import web

from tests.fake_discord.messages import Message, Messages
from tests.fake_discord.people import (
    DM,
    EMBED_LINKS,
    MANAGE_MESSAGES,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    THREADS,
    VIEW_CHANNEL,
    Channel,
    Guild,
    People,
)
from tests.fake_discord.wire import BODY, FILES, answer
from tests.fake_discord.world import DiscordError, Json, World

COMMAND_DEFAULTS: Json = {"type": 1, "description": "", "default_member_permissions": None, "nsfw": False}


class Rest:
    """What stands behind `Authorization: Bot …`."""

    def __init__(self, world: World, people: People, messages: Messages, application_id: str) -> None:
        self._world, self._people, self._messages = world, people, messages
        self._application_id = application_id
        self.commands: list[Json] | None = None
        self.redirect_uris: set[str] = set()

    def me(self) -> Json:
        return self._people.bot.json() | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}

    async def application(self, request: web.Request) -> web.StreamResponse:
        """GET /oauth2/applications/@me, and /applications/@me."""
        install = {"oauth2_install_params": {"scopes": ["applications.commands", "bot"], "permissions": "19456"}}
        return answer(
            {
                "id": self._application_id,
                "name": "Moments",
                "icon": None,
                "description": "",
                "type": None,
                "bot": self._people.bot.json(),
                "bot_public": True,
                "bot_require_code_grant": False,
                "integration_types_config": {"0": install, "1": {}},
                "verify_key": "0" * 64,
                "flags": 0,
                "flags_new": "0",
                "redirect_uris": sorted(self.redirect_uris),
                "interactions_endpoint_url": None,
                "role_connections_verification_url": None,
                "owner": next(iter(self._people.users.values())).json(),
                "approximate_guild_count": len(self._people.guilds),
                "approximate_user_install_count": 0,
                "approximate_user_authorization_count": 0,
                "explicit_content_filter": 0,
                "team": None,
                "eligible_oauth2_scopes": ["identify"],
            }
        )

    async def overwrite_commands(self, request: web.Request) -> web.StreamResponse:
        """PUT /applications/{id}/commands: ids stay with their name and type."""
        self._check_application(request)
        known = {(each["type"], each["name"]): each["id"] for each in self.commands or []}
        version = self._world.snowflake()
        self.commands = [self._command(body, known, version) for body in request[BODY] or []]
        self._world.changed()
        return answer(self.commands)

    async def list_commands(self, request: web.Request) -> web.StreamResponse:
        self._check_application(request)
        return answer(self.commands or [])

    async def post(self, request: web.Request) -> web.StreamResponse:
        """POST /channels/{id}/messages; with `enforce_nonce` a nonce known for minutes gives its first message."""
        channel, body = self._channel(request), request[BODY]
        self._need(channel, SEND_MESSAGES_IN_THREADS if channel.type in THREADS else SEND_MESSAGES)
        if body.get("embeds"):
            self._need(channel, EMBED_LINKS)
        nonce = body.get("nonce")
        if nonce is not None and body.get("enforce_nonce") and (known := self._messages.with_nonce(channel, nonce)):
            return answer(known.json())
        message = self._messages.make(channel, body, request[FILES])
        if nonce is not None:
            self._messages.note_nonce(message, nonce)
        self._world.changed()
        return answer(message.json())

    async def message(self, request: web.Request) -> web.StreamResponse:
        """GET, PATCH, DELETE /channels/{id}/messages/{id}."""
        channel = self._channel(request)
        message = self._messages.all.get(request.match_info["message_id"])
        if message is None or message.channel is not channel or message.deleted or message.ephemeral:
            raise DiscordError(404, 10008, "Unknown Message")
        mine = message.author is self._people.bot
        if request.method == "DELETE":
            if not mine:
                self._need(channel, MANAGE_MESSAGES)
            self._messages.delete(message)
            return web.Response(status=204)
        if request.method == "PATCH":
            if not mine:
                raise DiscordError(403, 50005, "Cannot edit a message authored by another user")
            self._messages.edit(message, request[BODY], request[FILES])
        return answer(self._seen(message))

    async def history(self, request: web.Request) -> web.StreamResponse:
        """GET /channels/{id}/messages, newest first."""
        channel = self._channel(request)
        if not self._people.bot_may(channel) & READ_MESSAGE_HISTORY:
            return answer([])
        here = [each for each in self._messages.all.values() if each.channel is channel]
        public = [each for each in here if not (each.deleted or each.ephemeral)]
        limit = int(request.query.get("limit", "50"))
        return answer([self._seen(each) for each in reversed(public[-limit:])])

    async def channel(self, request: web.Request) -> web.StreamResponse:
        return answer(self._channel(request).json())

    async def guild(self, request: web.Request) -> web.StreamResponse:
        return answer(guild_json(self._guild(request)))

    async def roles(self, request: web.Request) -> web.StreamResponse:
        return answer([role.json() for role in self._guild(request).roles])

    async def guild_channels(self, request: web.Request) -> web.StreamResponse:
        channels = self._guild(request).channels
        return answer([each.json() for each in channels if each.type not in THREADS and not each.gone])

    async def member(self, request: web.Request) -> web.StreamResponse:
        member = self._guild(request).members.get(request.match_info["user_id"])
        if member is None:
            known = request.match_info["user_id"] in self._people.users
            raise DiscordError(404, 10007, "Unknown Member") if known else DiscordError(404, 10013, "Unknown User")
        return answer(member.json())

    def _command(self, body: Json, known: dict[tuple[int, str], str], version: str) -> Json:
        told = COMMAND_DEFAULTS | {"contexts": None, "integration_types": [0], "dm_permission": True}
        told |= {name: value for name, value in body.items() if value is not None}
        if told["default_member_permissions"] is not None:
            told["default_member_permissions"] = str(told["default_member_permissions"])
        id_ = known.get((told["type"], told["name"])) or self._world.snowflake()
        return told | {"id": id_, "application_id": self._application_id, "version": version}

    def _check_application(self, request: web.Request) -> None:
        if request.match_info["application_id"] != self._application_id:
            raise DiscordError(403, 20012, "You are not authorized to perform this action on this application")

    def _guild(self, request: web.Request) -> Guild:
        guild = self._people.guilds.get(request.match_info["guild_id"])
        if guild is None:
            raise DiscordError(404, 10004, "Unknown Guild")
        if not guild.has_bot:
            raise DiscordError(403, 50001, "Missing Access")
        return guild

    def _channel(self, request: web.Request) -> Channel:
        channel = self._people.channels.get(request.match_info["channel_id"])
        if channel is None or channel.gone:
            raise DiscordError(404, 10003, "Unknown Channel")
        outside = not channel.guild.has_bot if channel.guild else not channel.with_bot
        if outside or not self._people.bot_may(channel) & VIEW_CHANNEL:
            raise DiscordError(403, 50001, "Missing Access")
        return channel

    def _need(self, channel: Channel, bits: int) -> None:
        if self._people.bot_may(channel) & bits != bits:
            raise DiscordError(403, 50013, "Missing Permissions")

    def _seen(self, message: Message) -> Json:
        mine = message.author is self._people.bot or message.channel.type == DM
        return message.json() if mine else message.without_content()


def guild_json(guild: Guild) -> Json:
    """As GET /guilds/{id} tells it."""
    nothing = (
        "icon description home_header splash discovery_splash banner application_id afk_channel_id system_channel_id "
        "widget_channel_id max_presences vanity_url_code rules_channel_id safety_alerts_channel_id "
        "public_updates_channel_id incidents_data"
    )
    return dict.fromkeys(nothing.split()) | {
        "id": guild.id,
        "name": guild.name,
        "owner_id": guild.owner.id,
        "features": [],
        "region": "deprecated",
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "verification_level": 0,
        "roles": [role.json() for role in guild.roles],
        "default_message_notifications": 0,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
    }
