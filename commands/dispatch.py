"""From a message to its reply: finding the command, who may, and the one door every error leaves by."""

import re

import structlog

from commands import clip, forgetme, help, links, stream  # noqa: A004, F401 -- importing them registers their commands
from commands.access import may
from commands.admission import Admission
from commands.arguments import first_word
from commands.model import COMMAND_NAME, Heard, Invocation, Platform, Reply
from commands.registry import NAMES, Command
from commands.services import Services
from moments.errors import MomentsError, NotAllowed, Repeated, StoreBusy, StoreError, StoreFull, TooFast, UsageError
from moments.notes import clean_name, shortened
from moments.people import Role

MOST_TYPED = 2_000
"""Characters of a message that are looked at; no platform's are longer."""
GROUP = "moments"
"""`!moments clip` is `!clip`, for rooms where another bot answers to the short word."""

STORE_DOWN = "Nothing can be kept or read right now. Whoever runs Moments finds the reason in its log."
"""What chat is told of a damaged or read-only store: the log has the path, the room need not."""

_MENTION = re.compile(r"@(?=\w)")
_LINES = re.compile(r"[\r\n\x00-\x1f\x7f]+")

_log = structlog.get_logger()


class Dispatcher:
    """Hears messages of every platform and answers those that are commands."""

    def __init__(self, services: Services, admission: Admission | None = None) -> None:
        self._services = services
        self._admission = admission or Admission()

    async def hear(self, heard: Heard) -> Reply | None:
        """The reply to a message, durable before it is given; None when there is nothing to say."""
        found = _find(heard)
        if found is None:
            return None
        await self._admission.enter(heard.place[:2])
        try:
            reply = await self._answer(_clean_names(heard), *found)
        finally:
            self._admission.leave()
        return None if reply is None else _presentable(reply, heard.platform)

    async def _answer(self, heard: Heard, command: Command | None, text: str) -> Reply | None:
        try:
            return await _allowed(command, heard.role).run(
                Invocation(self._services, heard, heard.arrived or self._services.clock()), text
            )
        except Repeated:
            return None
        except (TooFast, NotAllowed) as refusal:
            return Reply(str(refusal), private=True) if heard.platform.answers_refusals else None
        except StoreError as error:
            _log.error("the store refused", command=command.name if command else None, error=str(error))
            return Reply(str(error) if isinstance(error, StoreBusy | StoreFull) else STORE_DOWN, private=True)
        except MomentsError as error:
            return Reply(str(error), private=True)
        except Exception:
            _log.exception("a command failed", command=command.name if command else None, platform=heard.platform.name)
            return Reply("Something broke on our side.", private=True)


def _clean_names(heard: Heard) -> Heard:
    """The message with names as they may be stored; what adapters pass on is as hostile as any note (TXT-1)."""
    author, place = clean_name(heard.author.display_name), clean_name(heard.place.display_name)
    if author != heard.author.display_name:
        heard = heard._replace(author=heard.author._replace(display_name=author or heard.author.user_id))
    if place != heard.place.display_name:
        heard = heard._replace(place=heard.place._replace(display_name=place or heard.place.platform_id))
    return heard


def _allowed(command: Command | None, role: Role) -> Command:
    if command is None:
        raise UsageError("There is no such command. Type `help` for the list.")
    if not may(role, command.name):
        raise NotAllowed(f"Only moderators can use {command.name}.")
    return command


def _find(heard: Heard) -> tuple[Command | None, str] | None:
    """The command a message calls and what follows its name; None for talk, (None, …) for a word we do not know."""
    text, prefix = heard.text.lstrip(), heard.platform.prefix
    if not text.startswith(prefix):
        return None
    if text[len(prefix) : len(prefix) + 1].isspace():
        return None
    word, rest = first_word(text[len(prefix) : MOST_TYPED])
    command = NAMES.get(word.lower())
    if command is None and word.lower() == GROUP:
        word, rest = first_word(rest)
        command = NAMES.get(word.lower() or "help")
    if command is None and not (heard.platform.answers_unknown and word.isalnum()):
        return None
    return command, rest


def _presentable(reply: Reply, platform: Platform) -> Reply:
    """The reply on one line and within the platform's length, with commands as typed there; it mentions nobody."""
    text = COMMAND_NAME.sub(rf"{platform.prefix}\1", reply.text) if "`" in reply.text else reply.text
    if "@" in text:
        text = _MENTION.sub("@\u200b", text)
    if not text.isprintable():
        text = _LINES.sub(" ", text)
    return Reply(shortened(text, platform.reply_length), reply.private)
