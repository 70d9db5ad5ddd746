"""People, guilds, members, channels, and who may do what where."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.fake_discord.world import Json, World, stamp

ADMINISTRATOR, MANAGE_GUILD = 1 << 3, 1 << 5
VIEW_CHANNEL, SEND_MESSAGES, MANAGE_MESSAGES = 1 << 10, 1 << 11, 1 << 13
EMBED_LINKS, ATTACH_FILES, READ_MESSAGE_HISTORY = 1 << 14, 1 << 15, 1 << 16
USE_APPLICATION_COMMANDS, SEND_MESSAGES_IN_THREADS, USE_EXTERNAL_APPS = 1 << 31, 1 << 38, 1 << 50
ALL = (1 << 53) - 1
INVITED_WITH = VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS
"""19456, what our invitation asks for."""
EVERYONE = (
    INVITED_WITH
    | READ_MESSAGE_HISTORY
    | USE_APPLICATION_COMMANDS
    | SEND_MESSAGES_IN_THREADS
    | USE_EXTERNAL_APPS
    | ATTACH_FILES
)
TEXT, DM, GROUP, THREAD, PRIVATE_THREAD = 0, 1, 3, 11, 12
THREADS = (THREAD, PRIVATE_THREAD)


@dataclass(slots=True, eq=False)
class FakeUser:
    """An account; `installed` says that this person added the application to their own account."""

    id: str
    username: str
    global_name: str | None = None
    bot: bool = False
    installed: bool = False
    locale: str = "en-US"

    def json(self) -> Json:
        told: Json = {
            "id": self.id,
            "username": self.username,
            "discriminator": "0",
            "global_name": self.global_name,
            "avatar": None,
            "public_flags": 0,
            "flags": 0,
            "primary_guild": None,
        }
        return told | ({"bot": True} if self.bot else {})


@dataclass(slots=True, eq=False)
class Role:
    """A guild's role; the one with the guild's own id is @everyone."""

    id: str
    name: str
    permissions: int
    bot_id: str | None = None

    def json(self) -> Json:
        told: Json = {
            "id": self.id,
            "name": self.name,
            "permissions": str(self.permissions),
            "position": 0,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": self.bot_id is not None,
            "mentionable": False,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
        }
        return told | ({"tags": {"bot_id": self.bot_id}} if self.bot_id else {})


@dataclass(slots=True, eq=False)
class Member:
    """Somebody in a guild, with a role of their own that holds their permissions."""

    user: FakeUser
    role: Role
    joined_at: datetime
    nick: str | None = None

    def json(self) -> Json:
        return {
            "user": self.user.json(),
            "nick": self.nick,
            "roles": [self.role.id],
            "joined_at": stamp(self.joined_at),
            "avatar": None,
            "banner": None,
            "premium_since": None,
            "communication_disabled_until": None,
            "pending": False,
            "deaf": False,
            "mute": False,
            "flags": 0,
        }


@dataclass(slots=True, eq=False)
class Guild:
    """A server; `has_bot` says whether the application's bot is a member."""

    id: str
    name: str
    owner: FakeUser = field(repr=False)
    everyone: Role = field(repr=False)
    has_bot: bool = True
    unavailable: bool = False
    members: dict[str, Member] = field(default_factory=dict, repr=False)
    channels: "list[Channel]" = field(default_factory=list, repr=False)

    @property
    def roles(self) -> list[Role]:
        return [self.everyone, *(member.role for member in self.members.values())]

    def permissions(self, user_id: str, channel: "Channel | None" = None) -> int:
        """As https://docs.discord.com/developers/topics/permissions computes them."""
        if user_id == self.owner.id:
            return ALL
        member = self.members.get(user_id)
        if member is None:
            return 0
        bits = self.everyone.permissions | member.role.permissions
        if bits & ADMINISTRATOR:
            return ALL
        overwrites = channel.governing.overwrites if channel else {}
        for who in (self.id, member.role.id, user_id):
            allow, deny = overwrites.get(who, (0, 0))
            bits = bits & ~deny | allow
        return bits


@dataclass(slots=True, eq=False)
class Channel:
    """A text channel, a thread (with its `parent`), a DM or a group DM (with no guild). `overwrites`: allow, deny."""

    id: str
    name: str
    type: int
    guild: Guild | None = field(default=None, repr=False)
    parent: "Channel | None" = field(default=None, repr=False)
    recipients: Sequence[FakeUser] = field(default=(), repr=False)
    with_bot: bool = True
    gone: bool = False
    created_at: datetime | None = None
    overwrites: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def governing(self) -> "Channel":
        """Whose overwrites count: a thread has none of its own."""
        return self.parent or self

    def json(self) -> Json:
        """As REST and the gateway tell it."""
        if self.guild is None:
            return {
                "id": self.id,
                "type": self.type,
                "flags": 0,
                "last_message_id": None,
                "recipients": [user.json() for user in self.recipients],
            } | (
                {"name": self.name, "icon": None, "owner_id": self.recipients[0].id, "managed": False}
                if self.type == GROUP
                else {}
            )
        told: Json = {
            "id": self.id,
            "type": self.type,
            "flags": 0,
            "guild_id": self.guild.id,
            "name": self.name,
            "parent_id": self.parent.id if self.parent else None,
            "last_message_id": None,
            "rate_limit_per_user": 0,
        }
        return told | (self._as_thread() if self.type in THREADS else self._as_text())

    def seen_by(self, user: FakeUser) -> Json:
        """As an interaction tells it: with the person's permissions."""
        if self.guild is None:
            return self.json()
        told = self.json() | {"permissions": str(self.guild.permissions(user.id, self))}
        told.pop("permission_overwrites", None)
        return told

    def _as_text(self) -> Json:
        overwrites = [
            {"id": who, "type": int(self.guild is not None and who in self.guild.members), "allow": str(allow)}
            | {"deny": str(deny)}
            for who, (allow, deny) in self.overwrites.items()
        ]
        return {"position": 0, "topic": None, "nsfw": False, "permission_overwrites": overwrites}

    def _as_thread(self) -> Json:
        assert self.guild
        created = stamp(self.created_at) if self.created_at else None
        return {
            "owner_id": self.guild.owner.id,
            "message_count": 0,
            "member_count": 1,
            "total_message_sent": 0,
            "thread_metadata": {
                "archived": False,
                "archive_timestamp": created,
                "auto_archive_duration": 1440,
                "locked": False,
            },
        }


class People:
    """Makes them, and finds them by id."""

    def __init__(self, world: World, bot: FakeUser) -> None:
        self._world, self.bot = world, bot
        self.users: dict[str, FakeUser] = {bot.id: bot}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}

    def user(self, username: str, *, global_name: str | None = None, installed: bool = False) -> FakeUser:
        """A new account, or the one that has this username."""
        known = next((user for user in self.users.values() if user.username == username), None)
        if known:
            return known
        new = FakeUser(self._world.snowflake(), username, global_name, installed=installed)
        self.users[new.id] = new
        return new

    def guild(self, name: str, *, owner: FakeUser | None = None, has_bot: bool = True) -> Guild:
        owner = owner or self.user(f"owner_of_{name.lower().replace(' ', '_')}")
        id_ = self._world.snowflake()
        guild = Guild(id_, name, owner, Role(id_, "@everyone", EVERYONE), has_bot)
        self.guilds[id_] = guild
        self.member(guild, owner)
        if has_bot:
            self.join(guild)
        return guild

    def join(self, guild: Guild) -> None:
        """The bot becomes a member, with what our invitation asks for."""
        guild.has_bot = True
        self.member(guild, self.bot, permissions=INVITED_WITH)
        guild.members[self.bot.id].role.bot_id = self.bot.id

    def member(self, guild: Guild, user: FakeUser, *, nick: str | None = None, permissions: int = 0) -> Member:
        """Somebody joins, or is a member otherwise now; `permissions` come on top of @everyone's."""
        known = guild.members.get(user.id)
        if known is None:
            role = Role(self._world.snowflake(), f"role of {user.username}", permissions)
            known = guild.members[user.id] = Member(user, role, self._world.now(), nick)
        known.role.permissions, known.nick = permissions, nick
        return known

    def channel(self, guild: Guild, name: str) -> Channel:
        return self._add(Channel(self._world.snowflake(), name, TEXT, guild))

    def thread(self, parent: Channel, name: str, *, private: bool = False) -> Channel:
        kind, id_ = PRIVATE_THREAD if private else THREAD, self._world.snowflake()
        thread = Channel(id_, name, kind, parent.guild, parent, created_at=self._world.now())
        return self._add(thread)

    def dm(self, user: FakeUser) -> Channel:
        """The direct messages of this person and the bot."""
        known = (each for each in self.channels.values() if each.type == DM and each.with_bot)
        old = next((each for each in known if list(each.recipients) == [user]), None)
        return old or self._add(Channel(self._world.snowflake(), "", DM, recipients=[user]))

    def private(self, *users: FakeUser) -> Channel:
        """Direct messages among people without the bot: only the application of a person's own account is there."""
        kind = DM if len(users) <= 2 else GROUP
        return self._add(Channel(self._world.snowflake(), "", kind, recipients=users, with_bot=False))

    def bot_may(self, channel: Channel) -> int:
        """The bot's permissions there; all of them in direct messages."""
        return channel.guild.permissions(self.bot.id, channel) if channel.guild else ALL

    def _add(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        if channel.guild:
            channel.guild.channels.append(channel)
        return channel
