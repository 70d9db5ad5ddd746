"""From Discord's raw interactions to what Moments hears. Every field is checked and capped here (PLAT-5)."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import structlog

from bot.discord.cards import PRESS
from bot.discord.fields import ID, NAME, TOKEN, Json, Malformed, an_object, bits, matching, objects, text, typed
from bot.discord.permissions import ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES, TO_POST
from commands.model import Guild, Heard, Platform
from commands.registry import COMMANDS, PRESSES, Command
from moments.live import Author, Place
from moments.people import Role

Options = dict[str, str | int]

DISCORD = Platform("discord", prefix="/", reply_length=1_900, answers_unknown=True, always_answers=True, cards=True)

FORM = "form"
"""What the custom_id of a form begins with, as PRESS is that of a button."""
LONGEST_TEXT = 6_000
"""Characters of a field or a message that are kept; Discord lets no field have more."""
LONGEST_WORDS = 500
"""Characters of a name that are kept."""
OLDEST = timedelta(hours=24)
"""An id made further back than that, or ahead of our clock, is no time to go by: ours is taken."""

_COMMAND, _COMPONENT, _AUTOCOMPLETE, _SUBMIT = 2, 3, 4, 5
_SLASH, _MESSAGE_MENU = 1, 3
_BUTTON, _ACTION_ROW, _TEXT_INPUT, _LABEL = 2, 1, 4, 18
_DIRECT = 1
"""The context of a direct message with the bot itself."""
_PRIVATE_THREAD = 12
THREADS = (10, 11, _PRIVATE_THREAD)
_WITH_BOT = "0"
"""Under it `authorizing_integration_owners` names the server that let the bot in; under 1, the person who did."""

_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_CUSTOM_ID = re.compile(r"([a-z]{1,10}):([a-z-]{1,32}):([ -~]{0,90})", re.ASCII)

_log = structlog.get_logger("discord_bot")

left_out: Counter[str] = Counter()
"""How many interactions of each kind could not be read, and how many events."""


@dataclass(frozen=True, slots=True)
class Handle:
    """What an interaction is answered by."""

    id: str
    token: str = field(repr=False)
    """Whoever has it speaks for us there, for a quarter of an hour."""
    made: datetime
    """By Discord's clock."""
    alone: bool = False
    """Whether its caller is the only one who would read a public answer: a direct message with the bot."""
    guild: str = ""
    """The server it was typed in, where the bot itself is a member; else empty."""
    message: str = ""
    """The message whose button was pressed."""


class Called(NamedTuple):
    """A slash command; `command` is None for one that we do not have (any more)."""

    handle: Handle
    heard: Heard
    command: Command | None


class Pressed(NamedTuple):
    """A button."""

    handle: Handle
    heard: Heard
    command: Command | None


class Submitted(NamedTuple):
    """A form that was filled in."""

    handle: Handle
    heard: Heard
    command: Command | None


class Typing(NamedTuple):
    """Somebody is filling in a field of a slash command: the other fields are in `heard.options`."""

    handle: Handle
    heard: Heard
    option: str
    typed: str


class MenuPicked(NamedTuple):
    """An entry of a message's menu."""

    handle: Handle
    menu: str
    text: str
    """What the message says."""
    about: str
    """`<channel id>-<message id>`."""


Taken = Called | Pressed | Submitted | Typing | MenuPicked


def translate(payload: Json, arrived: datetime) -> Taken | None:
    """What an interaction means; None when it cannot be read, or is of a kind we never asked for."""
    kind = payload.get("type")
    shape = _SHAPES.get(kind) if type(kind) is int else None
    try:
        return None if shape is None else shape(payload, an_object(payload, "data"), arrived)
    except Malformed as error:
        left_out[str(kind)] += 1
        _log.debug("a Discord interaction was left out", type=kind, field=str(error), so_far=left_out[str(kind)])
        return None


# --- the kinds of interaction


def _command(payload: Json, data: Json, arrived: datetime) -> Called | MenuPicked | None:
    if data.get("type") == _MESSAGE_MENU:
        return _menu(payload, data)
    if data.get("type") != _SLASH:
        return None
    name = matching(data, "name", NAME)
    options = {matching(given, "name", NAME): typed(given, LONGEST_TEXT) for given in objects(data, "options")}
    return Called(_handle(payload), _heard(payload, arrived, name, options), COMMANDS.get(name))


def _menu(payload: Json, data: Json) -> MenuPicked:
    target, channel = matching(data, "target_id", ID), matching(an_object(payload, "channel"), "id", ID)
    message = an_object(an_object(an_object(data, "resolved"), "messages"), target)
    return MenuPicked(_handle(payload), text(data, "name", LONGEST_WORDS), _said(message), f"{channel}-{target}")


def _said(message: Json) -> str:
    """What a message says, shows in boxes, and forwards."""
    forwarded = [an_object(each, "message") for each in objects(message, "message_snapshots")]
    return "\n".join(words for each in (message, *forwarded) for words in _words(each))[:LONGEST_TEXT]


def _words(message: Json) -> Iterator[str]:
    yield text(message, "content", LONGEST_TEXT)
    for embed in objects(message, "embeds"):
        yield from (text(embed, name, LONGEST_TEXT) for name in ("url", "description") if embed.get(name) is not None)


def _typing(payload: Json, data: Json, arrived: datetime) -> Typing | None:
    name, given = matching(data, "name", NAME), objects(data, "options")
    options = {matching(each, "name", NAME): typed(each, LONGEST_TEXT) for each in given}
    focused = [each["name"] for each in given if each.get("focused") is True]
    if len(focused) != 1:
        raise Malformed("focused")
    so_far = str(options.pop(focused[0]))
    return Typing(_handle(payload), _heard(payload, arrived, name, options), focused[0], so_far)


def _component(payload: Json, data: Json, arrived: datetime) -> Pressed | None:
    if data.get("component_type") != _BUTTON:
        return None
    name, options, command = _pressed(data, PRESS)
    return Pressed(_handle(payload), _heard(payload, arrived, name, options), command)


def _submitted(payload: Json, data: Json, arrived: datetime) -> Submitted:
    name, options, command = _pressed(data, FORM)
    filled = {matching(each, "custom_id", NAME): text(each, "value", LONGEST_TEXT) for each in _inputs(data)}
    return Submitted(_handle(payload), _heard(payload, arrived, name, {**filled, **options}), command)


_SHAPES: Mapping[int, Callable[[Json, Json, datetime], Taken | None]] = MappingProxyType(
    {_COMMAND: _command, _COMPONENT: _component, _AUTOCOMPLETE: _typing, _SUBMIT: _submitted}
)


def _pressed(data: Json, before: str) -> tuple[str, Options, Command | None]:
    """Which press a custom_id means, and its argument; whoever pressed something long forgotten is told so."""
    found = _CUSTOM_ID.fullmatch(text(data, "custom_id", LONGEST_WORDS))
    command = PRESSES.get(found[2]) if found and found[1] == before else None
    if found is None or command is None:
        return "", {}, None
    return command.name, {parameter.name: found[3] for parameter in command.parameters[:1]}, command


def _inputs(data: Json) -> Iterator[Json]:
    """A form's text fields: each in a row or behind a label, whichever Discord sends."""
    for row in objects(data, "components"):
        inside = [an_object(row, "component")] if row.get("type") == _LABEL else objects(row, "components")
        yield from (each for each in inside if each.get("type") == _TEXT_INPUT)


# --- where, who, when


def _handle(payload: Json) -> Handle:
    interaction, alone = matching(payload, "id", ID), payload.get("context") == _DIRECT
    guild = "" if payload.get("guild_id") is None or not _has_bot(payload) else matching(payload, "guild_id", ID)
    pressed = "" if payload.get("message") is None else matching(an_object(payload, "message"), "id", ID)
    return Handle(interaction, matching(payload, "token", TOKEN), _made(interaction), alone, guild, pressed)


def _heard(payload: Json, arrived: datetime, name: str, options: Options) -> Heard:
    interaction = matching(payload, "id", ID)
    made = _made(interaction)
    instant = made if arrived - OLDEST <= made <= arrived else arrived
    guild = _guild(payload)
    public = guild is not None and guild.has_bot
    role, place = _role(payload) if public else Role.VIEWER, _place(payload, guild)
    channel = _channel(payload)
    invited = public and channel.get("type") == _PRIVATE_THREAD
    return Heard(
        DISCORD,
        place,
        _author(payload),
        role,
        name,
        instant,
        interaction,
        private=not public,
        options=options,
        guild=guild,
        hidden=invited or (public and channel.get("hidden") is True),  # which the client adds
        invited=invited,
    )


def _made(interaction: str) -> datetime:
    """When an id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=int(interaction) >> 22)


def _guild(payload: Json) -> Guild | None:
    if payload.get("guild_id") is None:
        return None
    guild, told = matching(payload, "guild_id", ID), payload.get("guild")
    named = isinstance(told, Mapping) and told.get("id") == guild and isinstance(told.get("name"), str)
    name = told["name"][:LONGEST_WORDS] if named and isinstance(told, Mapping) else ""
    ours = bits(payload, "app_permissions") if "app_permissions" in payload else ADMINISTRATOR
    lacks = () if ours & ADMINISTRATOR else tuple(words for words, bit in TO_POST.items() if not ours & bit)
    may_manage = bool(_permissions(payload) & (ADMINISTRATOR | MANAGE_GUILD))
    return Guild(guild, name, may_manage, _has_bot(payload), lacks)


def _has_bot(payload: Json) -> bool:
    """Whether the server let the bot itself in, as it did in the days before Discord told who did."""
    owners = payload.get("authorizing_integration_owners", {_WITH_BOT: ""})
    return isinstance(owners, Mapping) and _WITH_BOT in owners


def _permissions(payload: Json) -> int:
    return bits(an_object(payload, "member"), "permissions")


def _role(payload: Json) -> Role:
    """By the permissions of this very interaction."""
    permissions = _permissions(payload)
    if permissions & (ADMINISTRATOR | MANAGE_GUILD):
        return Role.BROADCASTER
    return Role.MODERATOR if permissions & MANAGE_MESSAGES else Role.VIEWER


def _place(payload: Json, guild: Guild | None) -> Place:
    """The text channel, of a thread its parent: a thread's own name is not the channel's, which the client adds."""
    channel = _channel(payload)
    if guild is None:
        return Place(DISCORD.name, matching(channel, "id", ID), "a direct message")
    is_thread = channel.get("type") in THREADS
    if is_thread and "parent_name" not in channel:
        return Place(DISCORD.name, matching(channel, "parent_id", ID), guild.name or "a server's channel")
    if not is_thread and "name" not in channel:
        return Place(DISCORD.name, matching(channel, "id", ID), guild.name or "a server's channel")
    which, called = ("parent_id", "parent_name") if is_thread else ("id", "name")
    name = f"#{text(channel, called, LONGEST_WORDS)}"
    return Place(DISCORD.name, matching(channel, which, ID), f"{guild.name} › {name}" if guild.name else name)


def _channel(payload: Json) -> Json:
    """Where it was, at least by its id."""
    return an_object(payload, "channel") if "channel" in payload else {"id": payload.get("channel_id")}


def _author(payload: Json) -> Author:
    """Who did it, by the name they have there."""
    member = payload.get("member")
    whole: Json = member if isinstance(member, Mapping) else {}
    user = an_object(whole or payload, "user")
    names = (whole.get("nick"), user.get("global_name"), user.get("username"))
    name = next((name for name in names if isinstance(name, str) and name.strip()), None)
    if name is None:
        raise Malformed("username")
    return Author(DISCORD.name, matching(user, "id", ID), name[:LONGEST_WORDS])
