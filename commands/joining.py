"""A Discord channel joined to a stream: asked for by who may manage the server, agreed to by the streamer (AZ-4)."""

import dataclasses
import secrets
from collections.abc import Collection
from datetime import datetime

import structlog

from commands import connecting
from commands.access import may
from commands.model import Heard, Invocation, Reply, quoted
from commands.registry import Command
from commands.services import Services
from moments.errors import NotAllowed, NotFound, ProviderError, Refusal, UsageError
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Channel, Visibility, ended
from moments.wording import counted
from storage import Transaction, answers, audit, channels, connections, feeds, joined
from storage.connections import State
from storage.joined import Joined, JoinRequest
from storage.keys import digest_of
from storage.ledger import account_key
from storage.retention import JOIN_CODE

NO_SERVER = (
    "Sessions belong to a server's channel: type this in a channel of a server that has the bot. "
    "What you save with `moment` works here too."
)
NOT_A_STREAMER = (
    "Only the streamer can agree to that, with their own login. Log in as the account whose channel is meant; if it "
    "is not connected yet, connect it first."
)
_CODE_IS_OVER = (
    "That code has run out, or was used already. Ask whoever gave it to you for a new one: in the Discord channel they "
    "type /setup join."
)
_IN_DISCORD = (
    "Joining begins in Discord: somebody who may manage the server types /setup join in the channel that should mark "
    "along. What is joined is listed, and ended, on {}"
)
_NO_STREAMS = (
    "This Moments is not on Twitch, so there is no stream to join. This channel has sessions of its own: type `start`."
)
_HIDDEN = (
    "Not everybody in this server can read this channel. Once it is joined, what is marked here is read by whoever may "
    "read the stream's pages."
)
_MANAGES_NO_MORE = (
    "Whoever asked for this may not manage that server any more. Somebody who may types /setup join there for a new "
    "link."
)
_NOT_ASKED = "Discord does not say just now whether whoever asked still manages that server. Try again in a minute."
_MINUTES = int(JOIN_CODE.total_seconds() // 60)

_log = structlog.get_logger("joining")


# --- commands about a stream, typed in a Discord channel


def is_offered(heard: Heard, command: Command) -> bool:
    """Whether a command makes sense where a message was typed: one about a stream only where a session can be."""
    guild = heard.guild
    return not (command.live and (heard.private or (guild is not None and not guild.has_bot)))


async def follow(services: Services, heard: Heard, command: Command) -> Heard:
    """What a message means: about a stream, and typed in a joined Discord channel, it is about that stream's session.

    Its author is a viewer there, unless the streamer let the server's moderators do what their own may. Refusal where
    no session can be, and NotAllowed for whom the Discord channel itself has blocked.
    """
    guild = heard.guild
    if not is_offered(heard, command):
        raise Refusal(NO_SERVER)
    if guild is None or not guild.has_bot:
        return heard
    here = heard.place.platform_id
    found = await joined.standing(services.store, here, heard.author)
    if heard.role >= Role.MODERATOR and found.guild != guild[:2]:
        await _learn(services, here, guild.id, guild.name)
    if heard.hidden and heard.role >= Role.MODERATOR and not may(Role.VIEWER, command.name):
        await _begin_private(services, heard.place)
    if heard.hidden and not heard.invited and await _is_public(services, heard.place):
        heard = heard._replace(hidden=False)
    if not command.live or found.joined is None or found.joined.guild_id != guild.id:
        return heard
    if found.is_barred:
        raise NotAllowed("The moderators of this server take nothing from you in this channel.")
    lent = found.joined.moderators and found.is_connected
    role = Role.MODERATOR if lent and heard.role >= Role.MODERATOR else Role.VIEWER
    if may(heard.role, command.name) and not may(role, command.name):
        whose = quoted(found.joined.place.display_name)
        raise NotAllowed(f"This channel marks along with {whose}, whose own moderators use {command.name} on Twitch.")
    return heard._replace(place=found.joined.place, role=role)


async def _begin_private(services: Services, place: Place) -> None:
    """Not everybody in its server reads that channel: until who manages it says otherwise, its pages are private.

    Only what moderators alone may do has a channel stored; what a stored one chose stays as it is.
    """
    known = await services.store.known(place)
    if known is not None and known.id:
        return

    async def job(transaction: Transaction) -> None:
        channel = (await transaction.live(place)).channel
        if not channel.id:
            await transaction.save_settings(place, dataclasses.replace(channel, visibility=Visibility.PRIVATE))

    await services.store.run(job, message=None, now=services.clock())


async def _is_public(services: Services, place: Place) -> bool:
    """Whether its pages are for everybody by who manages it, as where a role of members' own opens every channel."""
    known = await services.store.known(place)
    return known is not None and bool(known.id) and known.visibility is Visibility.PUBLIC


async def _learn(services: Services, discord_channel: str, guild_id: str, guild_name: str) -> None:
    async def job(transaction: Transaction) -> None:
        await joined.learn_guild(transaction, discord_channel, guild_id, guild_name)

    await services.store.run(job, message=None, now=services.clock())


# --- the server's side: `setup join`


async def ask(call: Invocation, value: str) -> str | Reply:
    """Give a code for the streamer, or end the joining (`off`)."""
    guild = call.heard.guild
    if guild is None:
        raise Refusal(_IN_DISCORD.format(call.services.link("/me")))
    if not guild.has_bot:
        raise Refusal(NO_SERVER)
    if not guild.may_manage:  # not what Discord let through: its permissions for commands can be set otherwise
        raise Refusal("Only who may manage this server (Manage Server) can join its channels to a stream.")
    if value.lower() == "off":
        return await _leave(call)
    if value:
        raise UsageError("Say `setup` join to be given a code for the streamer, or `setup` join off to end it.")
    present = await joined.of_discord(call.services.store, call.heard.place.platform_id)
    if present is not None:
        whose = call.quoted(present.place.display_name)
        return f"Now: joined to {whose} on Twitch. `setup` join off ends that; then you can join another."
    if call.services.twitch is None:
        raise Refusal(_NO_STREAMS)
    return await _offer(call, guild.id, guild.name)


async def _offer(call: Invocation, guild_id: str, guild_name: str) -> Reply:
    code, place, by = secrets.token_urlsafe(24), call.heard.place, call.heard.author
    name = place.display_name.removeprefix(f"{guild_name} › ")
    named = (guild_name, f"channel {place.platform_id}" if name == guild_name else name)
    request = JoinRequest(place.platform_id, guild_id, *named, account_key(by), by.display_name)

    async def job(transaction: Transaction) -> None:
        await joined.ask(transaction, digest_of(code), request, call.arrived + JOIN_CODE)
        channel = await channels.stored(transaction, place)
        await audit.record(transaction, channel, None, by, "ask to join", now=call.arrived)

    await call.write(job)
    link = call.services.link(f"/join?code={code}")
    return Reply(
        f"Hand this to the streamer, and to nobody else. They open it, log in with Twitch and agree; it works once, for"
        f" {counted(_MINUTES, 'minute')}: {link}",
        private=True,
        kind="changed",
        aside=_HIDDEN if call.heard.hidden else "",
    )


async def _leave(call: Invocation) -> str:
    here = call.heard.place.platform_id

    async def job(transaction: Transaction) -> Joined | None:
        present = await joined.of_discord(transaction, here)
        if present is not None:
            await joined.end(transaction, present, call.heard.author, call.arrived)
        withdrawn = await joined.withdraw(transaction, here)
        if present is None and not withdrawn:
            raise NotFound("This channel is joined to no stream. Say `setup` join to be given a code for the streamer.")
        return present

    before = await call.write(job)
    if before is None:
        return "Now the code that was given out is void."
    return (
        f"Now this channel is joined to no stream any more; it was joined to {call.quoted(before.place.display_name)}."
    )


# --- the streamer's side: the page, and its button


async def asked(services: Services, code: str) -> JoinRequest:
    """What a code asks for; NotFound, in kind words, when it is over."""
    found = await joined.asked(services.store, digest_of(code), services.clock())
    if found is None:
        raise NotFound(_CODE_IS_OVER)
    return found


async def own_channel(services: Services, who: Author) -> Channel:
    """The channel somebody streams on, which the bot must be in; NotAllowed for everybody else, moderators too."""
    found = await connecting.connection(services, who)
    channel = await services.store.channel(*who[:2])
    if who.platform != connecting.PLATFORM or found is None or found.state is not State.CONNECTED or channel is None:
        raise NotAllowed(NOT_A_STREAMER)
    return channel


async def agree(
    services: Services, code: str, by: Author, *, read: tuple[str, str], moderators: bool, now: datetime
) -> Place:
    """Join what the code asks for to the streamer's own channel; the Discord channel's place. The code is used up.

    `read` are the ids of the Discord channel and of the streamer that their page named: NotAllowed when the code, or
    the login, is of others, and for whoever streams nowhere. NotFound for a code that is over. Refusal when whoever
    asked manages the server no more by what Discord says at this moment, or when it says nothing.
    """
    await _check_manages(services, await asked(services, code))

    async def job(transaction: Transaction) -> Place:
        request = await joined.asked(transaction, digest_of(code), now)
        if request is None:
            raise NotFound(_CODE_IS_OVER)
        connected = await connections.of_channel(transaction, *by[:2])
        if connected is None or connected.state is not State.CONNECTED:
            raise NotAllowed(NOT_A_STREAMER)
        if read != (request.discord_channel, by.user_id):
            raise NotAllowed("That was another page's button. Open the link you were given again.")
        channel = await channels.stored(transaction, connected.place)
        if not await joined.join(transaction, request, channel, by, moderators=moderators, now=now):
            raise Refusal("That Discord channel is joined to a stream already. /setup join off there ends that.")
        await joined.withdraw(transaction, request.discord_channel)
        place = Place(joined.DISCORD, request.discord_channel, f"{request.guild_name} › {request.channel_name}")
        await _end_own_session(transaction, place, now)
        return place

    return await services.store.run(job, message=None, now=now)


async def _check_manages(services: Services, request: JoinRequest) -> None:
    """Powers are given by who has them: what was true when they asked may be true no more (AZ-4)."""
    platform, _, user_id = request.requested_by.partition(":")
    if services.guilds is None or platform != joined.DISCORD:
        raise Refusal(_NOT_ASKED)
    try:
        role = await services.guilds.role(request.guild_id, request.discord_channel, user_id, afresh=True)
    except ProviderError as error:
        _log.warning("Discord could not be asked who manages a server", error=str(error))
        raise Refusal(_NOT_ASKED) from error
    if role < Role.BROADCASTER:
        raise Refusal(_MANAGES_NO_MORE)


async def _end_own_session(transaction: Transaction, place: Place, now: datetime) -> None:
    """From now on no command in the Discord channel reaches a session of its own: one that is open would stay so."""
    session = (await transaction.live(place)).session
    over = None if session is None else ended(session, now)
    if over is not None:
        await transaction.save_session(place, over)


async def leave(services: Services, by: Author, discord_channel: str, now: datetime) -> bool:
    """End a joining of the streamer's own channel; False when there is no such one (AZ-6)."""

    async def job(transaction: Transaction) -> bool:
        present = await joined.of_discord(transaction, discord_channel)
        if present is None or present.place[:2] != by[:2]:
            return False
        return await joined.end(transaction, present, by, now)

    return await services.store.run(job, message=None, now=now)


# --- what ends it for both


async def guild_left(services: Services, guild_id: str, now: datetime) -> None:
    """The bot is in a Discord server no more: nothing of it is joined or posted, nobody has powers by it (PRIV-6)."""

    async def job(transaction: Transaction) -> None:
        await feeds.end_of_guild(transaction, guild_id)
        await answers.end_of_guild(transaction, guild_id)
        await joined.end_of_guild(transaction, guild_id, now)

    await services.store.run(job, message=None, now=now)


async def reconcile(services: Services, present: Collection[str], now: datetime) -> None:
    """Catch up with the servers the bot was taken out of while it was not listening; `present` are all it is in."""
    for guild_id in sorted(await joined.guilds(services.store) - set(present)):
        await guild_left(services, guild_id, now)
