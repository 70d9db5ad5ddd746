"""The feed of a Discord channel: how a moderator chooses what is posted there, and hears when it cannot be.

What ought to be posted is commands/post_steps.py; bot/discord/poster.py makes it so.
"""

import re
from collections.abc import Sequence

from commands.audit import note
from commands.model import Heard, Invocation, quoted
from commands.services import Services
from moments.errors import Refusal, UsageError
from moments.people import Role
from moments.sessions import Visibility
from storage import Transaction, channels, feeds, joined
from storage.feeds import Mode
from storage.joined import Joined
from storage.ledger import account_key

DISCORD = "discord"
MOST_PEOPLE = 10_000
MOST_TOLD = 5
"""Feeds in trouble that one answer speaks of."""

_CROWD = re.compile(r"crowd ([0-9]{1,5})")
EXAMPLES = (Mode.EACH.value, f"{Mode.CROWD} 3", Mode.SUMMARY.value, Mode.OFF.value)
"""What may be chosen; the number is anybody's choice."""
_TAKEN_UP = "It is taken up again: what could not be posted comes now."
_HOW = "`setup` feed each, `setup` feed crowd 3 (from 3 people on), `setup` feed summary, or `setup` feed off"


async def setup_feed(call: Invocation, value: str) -> str:
    """`each`, `crowd N`, `summary` or `off` for the Discord channel it is typed in; without a word, what is set."""
    guild, place = call.heard.guild, call.heard.place
    if place.platform != DISCORD or guild is None or not guild.has_bot:
        raise Refusal("A feed is set in the Discord channel it shall post in, in a server that has the bot.")
    stream = await joined.of_discord(call.services.store, place.platform_id)
    of = f" It shows the sessions of {call.quoted(stream.place.display_name)}." if stream else ""
    lacking = _lacking(guild.lacks)
    if not value.strip():
        return f"{await _told(call, stream, lacking)}{of}{lacking} Change it: {_HOW}."
    mode, people = _read(value)

    async def choose(transaction: Transaction) -> None:
        channel = await channels.stored(transaction, place)
        before = await feeds.of_channel(transaction, place.platform_id)
        shown = (await transaction.live(stream.place)).channel if stream else channel
        if mode is not Mode.OFF and shown.visibility is Visibility.PRIVATE:
            _check_private(call, is_stream=stream is not None)
        await feeds.set_feed(
            transaction,
            *(place.platform_id, guild.id, channel.id, mode, people),
            shows_private=call.heard.role >= Role.BROADCASTER,
            by=account_key(call.heard.author),
            now=call.arrived,
        )
        if before is None or (before.mode, before.min_people) != (mode, people):
            was = _words(before.mode, before.min_people) if before else Mode.OFF
            await note(call, transaction, channel, "setup", target="feed", before=was, after=_words(mode, people))
        for one in (place, *([stream.place] if stream else [])):
            await transaction.let_channel_go(one)

    await call.write(choose)
    return f"Now: feed {_words(mode, people)}.{of}{lacking if mode is not Mode.OFF else ''}"


def _check_private(call: Invocation, *, is_stream: bool) -> None:
    """A streamer's private session goes nowhere by somebody else's word; a server's own, by who manages the server."""
    if is_stream:
        raise Refusal("That stream is private, so nothing of it is posted. Its streamer makes it public on Twitch.")
    if call.heard.role < Role.BROADCASTER:
        raise Refusal("This channel is private: only who may manage this server (Manage Server) sets its feed.")


def _read(value: str) -> tuple[Mode, int]:
    words = " ".join(value.lower().split())
    if words in (Mode.EACH, Mode.SUMMARY, Mode.OFF):
        return Mode(words), 2
    found = _CROWD.fullmatch(words)
    if found is None or not 2 <= int(found[1]) <= MOST_PEOPLE:
        raise UsageError(f"Say what shall be posted here: {_HOW}.")
    return Mode.CROWD, int(found[1])


def _words(mode: Mode, people: int) -> str:
    return f"{mode} {people}" if mode is Mode.CROWD else str(mode)


def _lacking(permissions: Sequence[str]) -> str:
    if not permissions:
        return ""
    named = ", ".join(word.replace("_", " ").title() if word.isupper() else word for word in permissions)
    return f" Nothing can be posted yet: in this channel's settings, under Permissions, allow Moments {named}."


async def in_short(call: Invocation) -> str:
    """What is set in this Discord channel."""
    feed = await feeds.of_channel(call.services.store, call.heard.place.platform_id)
    return f"feed {_words(feed.mode, feed.min_people)}" if feed else f"feed {Mode.OFF}"


async def _told(call: Invocation, stream: Joined | None, lacking: str) -> str:
    """What is set. Where nothing is in the way any more, what could not be posted is tried again by that."""
    here = call.heard.place
    feed = await feeds.of_channel(call.services.store, here.platform_id)
    if feed is None:
        return "Now: feed off."
    now = f"Now: feed {_words(feed.mode, feed.min_people)}."
    if lacking or not feed.trouble:
        return now

    async def take_up(transaction: Transaction) -> None:
        await feeds.take_up(transaction, here.platform_id)
        await transaction.let_channel_go(stream.place if stream else here)

    await call.write(take_up)
    return f"{now} {feed.trouble if feed.trouble_at is None else _TAKEN_UP}"


async def aside_for(services: Services, heard: Heard) -> str:
    """What a moderator should know of their server's feeds and has not been told yet; once. Raises StoreError."""
    guild = heard.guild
    if guild is None or heard.role < Role.MODERATOR or heard.place.platform != DISCORD:
        return ""
    if not await feeds.untold(services.store, guild.id):
        return ""

    async def tell(transaction: Transaction) -> list[tuple[str, str]]:
        return await feeds.tell(transaction, guild.id, services.clock())

    told = await services.store.run(tell, message=None, now=services.clock())
    return " ".join(f"The feed in {quoted(name)}: {why}" for name, why in told[:MOST_TOLD])
