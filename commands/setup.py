"""A channel's own settings, whom it takes no marks from, whom it trusts, and its signed links."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from commands import joining, moderation, posting
from commands.arguments import Setting, Value, first_word
from commands.audit import note
from commands.choices import CHOICES, DEFAULT, Choice
from commands.connecting import CLIPS, MARKERS
from commands.model import Invocation, Reply
from commands.registry import command
from moments.errors import NotFound, Refusal, UsageError
from moments.live import Author
from moments.notes import clean_name
from moments.people import Role
from moments.sessions import Channel
from storage import Transaction, barred, channels, connections, joined, named_moderators
from storage.joined import Joined
from storage.ledger import account_key

MOST_LISTED = 10
NEEDED = MappingProxyType({"markers": MARKERS, "clips": CLIPS})
"""What the streamer must have granted for a setting to do anything."""
PUBLISHED = " Everyone sees this channel's pages now, also what was marked while they were private."

NAMED, UNNAMED = "named", "unnamed"
"""What the audit says came of an account that was made a moderator by name, or is one no longer."""

_LOGIN = re.compile(r"[a-z0-9_]{1,25}")
_FROM_DISCORD = "@discord"


@command("setup", "List this channel's settings, or change one.", private=True)
async def setup(call: Invocation, setting: Setting = "", value: Value = "") -> Reply:
    """One setting at a time, by moderators; what is the streamer's own to decide, by the broadcaster."""
    name = setting.lower()
    if not name:
        return _changed(await _listed(call))
    if name in CHOICES:
        return _changed(await _choose(call, CHOICES[name], value.lower()))
    if name not in OTHERS:
        raise UsageError(f"There is no setting of that name. `setup` takes one of: {', '.join([*CHOICES, *OTHERS])}.")
    said = await OTHERS[name](call, value)
    return said if isinstance(said, Reply) else _changed(said)


def _changed(text: str) -> Reply:
    return Reply(text, kind="changed")


async def _channel(call: Invocation) -> Channel:
    place = call.heard.place
    return await call.services.store.known(place) or Channel(0, *place)


def _need_broadcaster(call: Invocation, what: str) -> None:
    if call.heard.role < Role.BROADCASTER:  # no NotAllowed: a moderator is told, also where viewers are not
        in_server = call.heard.place.platform == joined.DISCORD
        who = "who may manage this server (Manage Server)" if in_server else "the broadcaster"
        raise Refusal(f"Not yours to change: only {who} sets {what} here.")


# --- settings


async def _listed(call: Invocation) -> str:
    channel, platform = await _channel(call), call.heard.platform
    words = []
    for choice in CHOICES.values():
        value = choice.read(channel)
        if not choice.is_for(channel.platform):
            continue
        if value == DEFAULT:
            value = f"{choice.otherwise(call.services.defaults, platform)} ({DEFAULT})"
        words.append(f"{choice.name} {value}")
    if call.heard.guild is not None:
        stream = await _stream(call)
        name = call.quoted(stream.place.display_name) if stream else "nobody"
        words += [await posting.in_short(call), f"joined to {name}"]
    return f"Now: {' · '.join(words)}. Change one like this: `setup` cooldown 30"


async def _choose(call: Invocation, choice: Choice, word: str) -> str:
    here = call.heard.place.platform
    if not choice.is_for(here):
        raise Refusal(_NOT_HERE[choice.platform is None].format(choice.name))
    theirs = await _of_the_stream(call, choice)
    if not word:
        now = f"Now: {choice.name} {choice.read(await _channel(call))}.{theirs}"
        raise UsageError(f"{now} Change it: `setup` {choice.name} {choice.values_on(here)}.")
    if choice.lowest is Role.BROADCASTER:
        _need_broadcaster(call, choice.name)

    async def change(transaction: Transaction) -> bool:
        channel = (await transaction.live(call.heard.place)).channel
        wanted = choice.change(channel, word) if choice.is_offered(word, here) else None
        if wanted is None:
            raise UsageError(f"Say what {choice.name} should be: `setup` {choice.name} {choice.values_on(here)}.")
        before, after = choice.read(channel), choice.read(wanted)
        if before == after:
            return False
        saved = await transaction.save_settings(call.heard.place, wanted)
        await channels.shown_otherwise(transaction, saved)
        await note(call, transaction, saved, "setup", target=choice.name, before=before, after=after)
        return True

    changed = await call.write(change)
    published = PUBLISHED if changed and (choice.name, word) == ("visibility", "public") else ""
    more = f"{published}{await _missing(call, choice, word)}{theirs}"
    return f"{'Now' if changed else 'Already so'}: {choice.name} {word}.{more}"


_NOT_HERE = (
    "There are no {} to switch on here; only channels on Twitch have them.",
    "There is nothing to switch for {} here: on Discord every command has a name of its own.",
)
"""By whether it is a setting of more platforms than one."""


async def _stream(call: Invocation) -> Joined | None:
    """What a Discord channel is joined to."""
    guild, place = call.heard.guild, call.heard.place
    present = None if guild is None else await joined.of_discord(call.services.store, place.platform_id)
    return present if guild and present and present.guild_id == guild.id else None


async def _of_the_stream(call: Invocation, choice: Choice) -> str:
    """That a setting of a joined channel is not its stream's; how much is answered is each channel's own."""
    stream = None if choice.name == "replies" else await _stream(call)
    if stream is None:
        return ""
    return f" Sessions here are those of {call.quoted(stream.place.display_name)}, whose own settings count for them."


async def _missing(call: Invocation, choice: Choice, word: str) -> str:
    scope = NEEDED.get(choice.name)
    if scope is None or word != "on":
        return ""
    connection = await connections.of_channel(call.services.store, *call.heard.place[:2])
    if connection is not None and scope in connection.scopes:
        return ""
    return f" It waits for your permission on Twitch, which you give at {call.services.link('/twitch/connect')}"


# --- people


async def _person(call: Invocation, name: str) -> Author:
    """Whose name this is, by id (ID-1): as Twitch says now, else among those who have marks here.

    `name@discord` is whoever marked under it from a joined Discord channel; in that channel, the name alone is.
    """
    name = name.removeprefix("@")
    word = first_word(name)[0]
    if not word:
        raise UsageError("Say whom, by name.")
    twitch, platform = call.services.twitch, call.heard.place.platform
    if name.lower().endswith(_FROM_DISCORD):
        called = name[: -len(_FROM_DISCORD)].rstrip()
        found = await channels.people_called(call.services.store, await _channel(call), called, joined.DISCORD)
    elif twitch is not None and platform == "twitch" and _LOGIN.fullmatch(word.lower()):
        users = await twitch.helix.users(logins=[word.lower()])
        found = [Author(platform, user.id, clean_name(user.display_name) or user.login) for user in users]
    else:
        found = await channels.people_called(call.services.store, await _channel(call), name)
        found += [who for who in await _in_joined_stream(call, name) if who not in found]
    if not found:
        raise NotFound(f'There is nobody called "{_shown(call, name)}" here. Check the name and try again.')
    if len(found) > 1:
        raise Refusal(f'There are {len(found)} people called "{_shown(call, name)}" here, so nothing was changed.')
    return found[0]


async def _in_joined_stream(call: Invocation, name: str) -> list[Author]:
    """Who marked under this name from Discord in the stream that a Discord channel is joined to."""
    present = await _stream(call)
    if present is None:
        return []
    stream = Channel(present.channel_id, *present.place)
    return await channels.people_called(call.services.store, stream, name, joined.DISCORD)


def _shown(call: Invocation, name: str) -> str:
    return call.quoted(clean_name(name))


async def _block(call: Invocation, value: str) -> str:
    who = await _person(call, value)

    async def bar(transaction: Transaction) -> bool:
        return await moderation.bar_in(transaction, call.heard.place, who, call.heard.author, call.arrived)

    added = await call.write(bar)
    return f'{"Now" if added else "Already"} blocked: "{_shown(call, who.display_name)}". No marks of theirs are taken.'


async def _unblock(call: Invocation, value: str) -> str:
    who = await _blocked_person(call, value) or await _person(call, value)

    async def unbar(transaction: Transaction) -> bool:
        return await moderation.unbar_in(transaction, call.heard.place, who, call.heard.author, call.arrived)

    removed = await call.write(unbar)
    return f'{"Now not" if removed else "Not"} blocked: "{_shown(call, who.display_name)}".'


async def _blocked_person(call: Invocation, value: str) -> Author | None:
    """Who is on the list under this name or id, if that is one person: names there are as old as the blocks."""
    word = value.removeprefix("@").casefold().removesuffix(_FROM_DISCORD).rstrip()
    blocked = await barred.listed(call.services.store, await _channel(call))
    found = [Author(*row[:3]) for row in blocked if word in (row.display_name.casefold(), row.user_id)]
    return found[0] if len(found) == 1 else None


async def _blocked(call: Invocation, _value: str) -> str:
    names = [_shown(call, row.display_name) for row in await barred.listed(call.services.store, await _channel(call))]
    if not names:
        return "Now nobody is blocked here."
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"Now blocked here: {', '.join(names[:MOST_LISTED])}{more}."


async def _moderator(call: Invocation, value: str) -> str:
    _need_broadcaster(call, "moderators")
    who = await _person(call, value)

    async def add(transaction: Transaction) -> bool:
        channel = await channels.stored(transaction, call.heard.place)
        added = await named_moderators.name(transaction, channel, who, call.arrived)
        if added:
            await note(call, transaction, channel, "setup", target=account_key(who), after=NAMED)
        return added

    now = "Now" if await call.write(add) else "Already"
    return f'{now} a moderator of this channel\'s pages: "{_shown(call, who.display_name)}".'


async def _unmoderator(call: Invocation, value: str) -> str:
    _need_broadcaster(call, "moderators")
    who = await _named_person(call, value) or await _person(call, value)

    async def take_back(transaction: Transaction) -> bool:
        channel = (await transaction.live(call.heard.place)).channel
        removed = await named_moderators.unname(transaction, channel, who)
        if removed:
            await note(call, transaction, channel, "setup", target=account_key(who), after=UNNAMED)
        return removed

    now = "Now no longer" if await call.write(take_back) else "Not"
    return f'{now} a named moderator of this channel\'s pages: "{_shown(call, who.display_name)}".'


async def _named_person(call: Invocation, value: str) -> Author | None:
    word = value.removeprefix("@").casefold()
    named = await named_moderators.named(call.services.store, await _channel(call))
    found = [who for who in named if word in (who.display_name.casefold(), who.user_id)]
    return found[0] if len(found) == 1 else None


# --- links


async def _links(call: Invocation, value: str) -> str:
    _need_broadcaster(call, "links")
    if value.lower() != "revoke":
        raise UsageError("Say `setup` links revoke to make every signed link into this channel useless.")

    async def revoke(transaction: Transaction) -> None:
        channel = await channels.stored(transaction, call.heard.place)
        epoch = await channels.revoke_links(transaction, call.heard.place, channel)
        await note(call, transaction, channel, "setup", target="links", before=str(epoch - 1), after=str(epoch))

    await call.write(revoke)
    return "All signed links into this channel that were given out so far are useless now."


OTHERS: dict[str, Callable[[Invocation, str], Awaitable[str | Reply]]] = {
    "block": _block,
    "unblock": _unblock,
    "blocked": _blocked,
    "moderator": _moderator,
    "unmoderator": _unmoderator,
    "links": _links,
    "join": joining.ask,
    "feed": posting.setup_feed,
}
"""What `setup` does beside the settings of CHOICES."""
OTHERS_VALUES: Mapping[str, Sequence[str]] = MappingProxyType(
    {"links": ("revoke",), "join": ("off",), "feed": posting.EXAMPLES}
)
"""What may be typed behind those that take certain words."""
