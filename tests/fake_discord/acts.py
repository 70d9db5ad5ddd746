"""What people do: commands, buttons, typing, menus, forms; each reaches the gateway as Discord would send it."""

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping

from tests.fake_discord.gateway import Gateway
from tests.fake_discord.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Interaction,
    Interactions,
)
from tests.fake_discord.messages import LINK, Message
from tests.fake_discord.options import filled, given
from tests.fake_discord.people import ALL, DM, USE_EXTERNAL_APPS, Channel, FakeUser, Guild, People
from tests.fake_discord.world import Json, World

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
IN_GUILD, IN_BOT_DM, IN_PRIVATE = 0, 1, 2
UPLOAD_LIMIT = 10 * 1024 * 1024


class Acts:
    """`anywhere` delivers commands even where they are not offered, as an outdated client might send them."""

    def __init__(
        self,
        world: World,
        people: People,
        interactions: Interactions,
        gateway: Gateway,
        application_id: str,
        commands: Callable[[], list[Json] | None],
    ) -> None:
        self._world, self._people, self._interactions, self._gateway = world, people, interactions, gateway
        self._application_id, self._commands = application_id, commands
        self.anywhere = False

    async def slash(self, user: FakeUser, channel: Channel, name: str, /, **options: object) -> Interaction:
        """Somebody sends /name; options by their name, of the types and within the bounds that were synced."""
        command = self._command(name, CHAT_INPUT)
        self._check_offered(command, user, channel)
        data = _about(command) | {"options": given(command, options)}
        return self._deliver(COMMAND, user, channel, data, command)

    async def autocomplete(
        self, user: FakeUser, channel: Channel, name: str, /, *, focused: str, **options: object
    ) -> Interaction:
        """Somebody types into the option `focused` of /name."""
        command = self._command(name, CHAT_INPUT)
        self._check_offered(command, user, channel)
        typed = {focused: ""} | options
        data = _about(command) | {"options": given(command, typed, focused=focused)}
        return self._deliver(AUTOCOMPLETE, user, channel, data, command)

    async def menu(self, user: FakeUser, message: Message, name: str) -> Interaction:
        """Somebody picks an entry of a message's menu, under "Apps"."""
        command = self._command(name, MESSAGE_MENU)
        self._check_offered(command, user, message.channel)
        self._check_seen(user, message)
        resolved = {"messages": {message.id: message.json()}}
        data = _about(command) | {"target_id": message.id, "resolved": resolved}
        return self._deliver(COMMAND, user, message.channel, data, command)

    async def press(self, user: FakeUser, message: Message, name: str) -> Interaction:
        """Somebody presses the button with this label or custom_id."""
        self._check_seen(user, message)
        button = message.button(name)
        assert button["style"] != LINK, f"{name!r} is a link: it asks nothing of the application"
        assert not button.get("disabled"), f"{name!r} is disabled"
        data = {"component_type": button["type"], "custom_id": button["custom_id"], "id": button["id"]}
        return self._deliver(COMPONENT, user, message.channel, data, None, message)

    async def submit(self, user: FakeUser, opener: Interaction, /, **fields: str) -> Interaction:
        """Somebody sends the form that `opener` got; what is not given stays as it was filled in."""
        modal = opener.modal
        assert modal is not None, "no form was opened"
        assert user is opener.user, "only the person who opened a form can send it"
        data = {"custom_id": modal["custom_id"], "components": filled(modal["components"], fields)}
        return self._deliver(MODAL_SUBMIT, user, opener.channel, data, None, opener.message)

    def _deliver(
        self,
        kind: int,
        user: FakeUser,
        channel: Channel,
        data: Json,
        command: Json | None,
        message: Message | None = None,
    ) -> Interaction:
        now = self._world.now()
        id_ = self._world.snowflake(now)
        token = self._world.secret(
            base64.urlsafe_b64encode(f"interaction:{id_}:{secrets.token_hex(48)}".encode()).decode().rstrip("=")
        )
        owners = self._owners(user, channel, command)
        payload = self._payload(kind, user, channel, owners) | {"id": id_, "token": token, "data": data}
        if message is not None:
            payload["message"] = message.json()
        delivered = asyncio.get_running_loop().time()
        new = Interaction(id_, kind, user, channel, payload, token, now, delivered, message)
        new.only_installed = "0" not in owners
        new.private_only = new.only_installed and not _may_show(user, channel)
        self._interactions.add(new)
        self._gateway.deliver(new)
        return new

    def _payload(self, kind: int, user: FakeUser, channel: Channel, owners: Mapping[str, str]) -> Json:
        told: Json = {
            "application_id": self._application_id,
            "type": kind,
            "version": 1,
            "channel": channel.seen_by(user),
            "channel_id": channel.id,
            "locale": user.locale,
            "entitlements": [],
            "authorizing_integration_owners": dict(owners),
            "context": _context(channel),
            "attachment_size_limit": UPLOAD_LIMIT,
        }
        if channel.guild is None:
            return told | {"user": user.json(), "app_permissions": str(ALL)}
        guild = channel.guild
        app = guild.permissions(self._people.bot.id, channel) if guild.has_bot else guild.everyone.permissions
        return told | {
            "guild_id": guild.id,
            "guild": {"id": guild.id, "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": self._member(user, guild, channel),
            "app_permissions": str(app),
        }

    def _member(self, user: FakeUser, guild: Guild, channel: Channel) -> Json:
        known = guild.members.get(user.id) or self._people.member(guild, user)
        return known.json() | {"permissions": str(guild.permissions(user.id, channel))}

    def _owners(self, user: FakeUser, channel: Channel, command: Json | None) -> dict[str, str]:
        types = command["integration_types"] if command else [0, 1]
        owners = {}
        if 0 in types and channel.guild and channel.guild.has_bot:
            owners["0"] = channel.guild.id
        if 0 in types and channel.guild is None and channel.with_bot:
            owners["0"] = "0"
        if 1 in types and user.installed:
            owners["1"] = user.id
        return owners

    def _command(self, name: str, kind: int) -> Json:
        commands = self._commands()
        assert commands is not None, "no commands were synced"
        found = [each for each in commands if (each["type"], each["name"]) == (kind, name)]
        names = sorted(each["name"] for each in commands if each["type"] == kind)
        assert found, f"no such command: {name}; there are {names}"
        return found[0]

    def _check_offered(self, command: Json, user: FakeUser, channel: Channel) -> None:
        if self.anywhere:
            return
        contexts = command["contexts"]
        assert contexts is None or _context(channel) in contexts, f"{command['name']} is not offered in such a place"
        offered = self._owners(user, channel, command)
        assert offered, f"{command['name']} is not installed here: no bot, and {user.username} has not added it"

    def _check_seen(self, user: FakeUser, message: Message) -> None:
        assert not message.deleted, "the message is gone"
        assert message.only_for in (None, user), "somebody else's ephemeral message"


def _context(channel: Channel) -> int:
    return IN_GUILD if channel.guild else IN_BOT_DM if channel.type == DM and channel.with_bot else IN_PRIVATE


def _may_show(user: FakeUser, channel: Channel) -> bool:
    """Whether a person's own application may answer in public there."""
    return channel.guild is None or bool(channel.guild.permissions(user.id, channel) & USE_EXTERNAL_APPS)


def _about(command: Json) -> Json:
    return {"id": command["id"], "name": command["name"], "type": command["type"]}
