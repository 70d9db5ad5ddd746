"""From a message to its reply: finding the command, who may, and the one door every error leaves by."""

import re
from typing import NamedTuple

import structlog

from commands import (  # noqa: F401 -- importing them registers their commands
    clip,
    forgetme,
    giveback,
    help,  # noqa: A004 -- the word people type
    joining,
    linking,
    links,
    posting,
    presses,
    recorded_chat,
    setup,
    stream,
    vod,
)
from commands.access import may
from commands.admission import Admission
from commands.arguments import first_word
from commands.model import COMMAND_NAME, Heard, Invocation, Platform, Reply, without_links
from commands.once import Once
from commands.registry import COMMANDS, NAMES, PRESSES, Command
from commands.services import Services
from moments.errors import (
    BadLink,
    MomentsError,
    NotAllowed,
    ProviderError,
    Repeated,
    StoreBusy,
    StoreError,
    StoreFull,
    TooFast,
    UsageError,
)
from moments.notes import clean_name, shortened
from moments.people import Role
from moments.sessions import ChannelSettings, ReplyLevel

MOST_TYPED = 2_000
"""Characters of a message that are looked at; no platform's are longer."""
GROUP = "moments"
"""`!moments clip` is `!clip`, for rooms where another bot answers to the short word."""

PROVIDER_DOWN = "The service did not do that just now. Try again in a minute."
STORE_DOWN = "Nothing can be kept or read right now. Whoever runs Moments finds the reason in its log."
"""What chat is told of a damaged or read-only store: the log has the path, the room need not."""

ALWAYS_ANSWERED = frozenset({"setup", "forgetme", "link", "unlink"})
"""Also in channels that want no answers: how to change that, and what must be asked before it is done."""

_MENTION = re.compile(r"@(?=\w)")
_LINES = re.compile(r"[\r\n\x00-\x1f\x7f\U000e0000]+")

_NEVER_FIRST = frozenset("/.!")

_log = structlog.get_logger()


class _Called(NamedTuple):
    command: Command | None
    text: str
    """What follows the name."""
    bare: bool
    """Whether it was called by its own name, not as one of `!moments`."""

    @property
    def name(self) -> str | None:
        return self.command.name if self.command else None


class Dispatcher:
    """Hears messages of every platform and answers those that are commands."""

    def __init__(self, services: Services, admission: Admission | None = None) -> None:
        self._services = services
        self._admission = admission or Admission()
        self._once = Once()

    async def hear(self, heard: Heard) -> Reply | None:
        """The reply to a message, durable before it is given; None when there is nothing to say."""
        called = _find(heard)
        if called is None:
            return None
        await self._admission.enter(heard.place[:2])
        try:
            reply = await self._answer(_clean_names(heard), called)
        finally:
            self._admission.leave()
        return None if reply is None else _presentable(reply, heard.platform)

    async def _answer(self, heard: Heard, called: _Called) -> Reply | None:
        arrived = heard.arrived or self._services.clock()
        level, off, in_our_words = heard.platform.default_level, heard.platform.bare_off, False
        try:
            chosen = await self._chosen(heard)
            off -= chosen.bare_commands
            if called.bare and called.name in off:
                return None
            level = chosen.reply_level or level
            meant = await joining.follow(self._services, heard, called.command) if called.command else heard
            call = Invocation(self._services, meant, arrived, level)
            answer = await _allowed(called.command, meant.role).run(call, called.text)
            reply: Reply | None = await self._with_troubles(heard, await linking.with_news(call, answer))
        except Exception as error:
            reply = self._refusal(heard.platform, called, error)
            in_our_words = isinstance(error, BadLink)
        if reply is None:
            return None
        if level is ReplyLevel.NONE and called.name not in ALWAYS_ANSWERED:
            if not heard.platform.always_answers:
                return None
            reply = reply._replace(private=True)
        if self._once.said(heard, reply, arrived):
            return None
        return self._worded(reply, heard.platform, off, in_our_words=in_our_words)

    def _worded(self, reply: Reply, platform: Platform, off: frozenset[str], *, in_our_words: bool) -> Reply:
        """The reply as this channel may read it; `off` are the commands whose bare names are not answered there.

        Any refusal may name a session by its title, unless it is all `in_our_words`.
        """
        text = reply.text
        if reply.kind == "refusal" and platform.hides_links and not in_our_words:
            text = without_links(text, self._services.link("/"), self._services.formats)
        return reply._replace(text=_as_typed(text, platform, off), aside=_as_typed(reply.aside, platform, off))

    async def _with_troubles(self, heard: Heard, reply: Reply) -> Reply:
        """The reply, with what a moderator of a server should know of its feeds; what was done is done either way."""
        try:
            told = await posting.aside_for(self._services, heard)
        except StoreError as error:
            _log.warning("a moderator could not be told of their feeds", error=str(error))
            return reply
        return reply._replace(aside=" ".join(filter(None, [reply.aside, told]))) if told else reply

    async def _chosen(self, heard: Heard) -> ChannelSettings:
        channel = await self._services.store.known(heard.place)
        return channel.settings if channel else ChannelSettings()

    def _refusal(self, platform: Platform, called: _Called, error: Exception) -> Reply | None:
        """The one error door: what somebody is told of it, if anything."""
        match error:
            case Repeated():
                return None
            case TooFast() | NotAllowed():
                return _sorry(str(error)) if platform.answers_refusals else None
            case StoreError():
                _log.error("the store refused", command=called.name, error=str(error))
                return _sorry(str(error) if isinstance(error, StoreBusy | StoreFull) else STORE_DOWN)
            case ProviderError():
                _log.warning("a provider refused", command=called.name, error=str(error))
                return _sorry(PROVIDER_DOWN)
            case MomentsError():
                return _sorry(str(error))
        _log.error("a command failed", command=called.name, platform=platform.name, exc_info=error)
        return _sorry("Something broke on our side.")


def _sorry(text: str) -> Reply:
    return Reply(text, private=True, kind="refusal")


def _clean_names(heard: Heard) -> Heard:
    """The message with names as they may be stored; what adapters pass on is as hostile as any note (TXT-1)."""
    author, place = clean_name(heard.author.display_name), clean_name(heard.place.display_name)
    if author != heard.author.display_name:
        heard = heard._replace(author=heard.author._replace(display_name=author or heard.author.user_id))
    if place != heard.place.display_name:
        heard = heard._replace(place=heard.place._replace(display_name=place or heard.place.platform_id))
    if heard.guild is not None:
        heard = heard._replace(guild=heard.guild._replace(name=clean_name(heard.guild.name) or heard.guild.id))
    return heard


def _allowed(command: Command | None, role: Role) -> Command:
    if command is None:
        raise UsageError("There is no such command. Type `help` for the list.")
    if not may(role, command.name):
        raise NotAllowed(f"Only moderators can use {command.name}.")
    return command


def _find(heard: Heard) -> _Called | None:
    """The command a message calls; None for talk, and one without a command for a word we do not know."""
    if heard.options is not None:
        return _Called(COMMANDS.get(heard.text) or PRESSES.get(heard.text), "", bare=True)
    text, prefix = heard.text.lstrip(), heard.platform.prefix
    if not text.startswith(prefix):
        return None
    if text[len(prefix) : len(prefix) + 1].isspace():
        return None
    word, rest = first_word(text[len(prefix) : MOST_TYPED])
    command = NAMES.get(word.lower())
    bare = command is not None or word.lower() != GROUP
    if not bare:
        word, rest = first_word(rest)
        command = NAMES.get(word.lower() or "help")
    if command is None and not (heard.platform.answers_unknown and word.isalnum()):
        return None
    return _Called(command, rest, bare)


def _as_typed(text: str, platform: Platform, off: frozenset[str]) -> str:
    """The text with each command as it is typed there: `!clip`, and `!moments help` where bare `help` is off."""

    def typed(name: re.Match[str]) -> str:
        return f"{platform.prefix}{GROUP} {name[1]}" if name[1] in off else f"{platform.prefix}{name[1]}"

    return COMMAND_NAME.sub(typed, text) if "`" in text else text


def _presentable(reply: Reply, platform: Platform) -> Reply:
    """The reply on one line and within the platform's length; it mentions nobody."""
    text = reply.text
    if "@" in text:
        text = _MENTION.sub("@\u200b", text)
    if not text.isprintable():
        text = _LINES.sub(" ", text)
    if text[:1] in _NEVER_FIRST or text.startswith(platform.prefix):
        text = f"Moments: {text}"  # what it says could be taken for a command (CHAT-4)
    return reply._replace(text=shortened(text, platform.reply_length))
