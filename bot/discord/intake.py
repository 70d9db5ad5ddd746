"""Every interaction once: acknowledged at once, then heard, then answered by changing what stands there."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import structlog

from bot.discord.answers import BROKEN, Answers, Follow, Mouth
from bot.discord.cards import EPHEMERAL, Body, text_body
from bot.discord.noter import Note, Noter
from bot.discord.text import rendered
from bot.discord.translate import (
    DISCORD,
    FORM,
    Called,
    Handle,
    MenuPicked,
    Pressed,
    Submitted,
    Taken,
    Typing,
    translate,
)
from commands.model import COMMAND_NAME, Card, Heard, Reply
from commands.presses import MENUS, Form
from commands.services import Clock
from commands.suggest import Suggestion
from moments.errors import MomentsError, ProviderError, ProviderRefused, UsageError
from moments.notes import shortened

ACK_SECONDS = 2.5
"""From an interaction's making until its acknowledgement; Discord waits for three."""
SHORTEST_ACK_SECONDS = 1.0
"""What there is in any case: our clock may not be Discord's."""
SUGGEST_SECONDS = 1.5
"""What looking for suggestions may take of it."""
AT_ONCE = 64
"""Commands under way; others are acknowledged and wait."""
BURST = 16
"""With so many to acknowledge nothing else is begun: three seconds are shorter than a quarter of an hour."""
BURST_SECONDS = 1.0
"""No command waits longer than that for the acknowledgements of others."""
MOST_WAITING = 5_000
"""Interactions of all kinds that are taken and not yet answered."""
MOST_TYPING = 200
"""People who are being helped to fill in a field."""
REMEMBERED = 50_000
"""Interactions known again when they are delivered again: those of hours."""
MOST_CHOICES = 25
CHOICE_LENGTH = 100

TOO_MANY = "There is too much to do at once. Try again in a minute."
CLOSING = "Moments is restarting. Try again in a minute."
CUT = (
    "Moments is restarting and could not say what came of this. Look with /session or /mymoments before you try again."
)
EXCUSE_SECONDS = 2.0
FORGOTTEN = "That is from an older message, and does nothing any more. Type `help` to see what does."

_SAY, _THINK, _THINK_UNSEEN, _CHOICES, _ASK = 4, 5, 6, 8, 9
_LABEL, _TEXT_INPUT, _ONE_LINE = 18, 4, 1
_LABEL_LENGTH = 45

Suggest = Callable[[Heard, str, str], Awaitable[Sequence[Suggestion]]]
"""What may be meant by what is typed into a field of a command so far (commands.suggest.suggest)."""

_log = structlog.get_logger("discord_bot")


class Hearer(Protocol):
    """The dispatcher."""

    async def hear(self, heard: Heard) -> Reply | None:
        """The reply to a message, durable before it is given."""


class Intake:
    """What comes off the gateway. `take` returns at once; the work goes on in tasks of a bounded number."""

    def __init__(
        self,
        dispatcher: Hearer,
        suggest: Suggest,
        rest: Mouth,
        clock: Clock,
        *,
        site: str,
        follow: Follow,
        note: Note,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
        pause: float = 1.0,
    ) -> None:
        """`site` is our public address, without a slash at its end; `pause` the first before Discord is asked again."""
        self._dispatcher, self._suggest, self._rest, self._clock = dispatcher, suggest, rest, clock
        self._site, self._follow, self._most_waiting = site, follow, most_waiting
        self._noter = Noter(note, pause)
        self._answers = Answers(rest, site, clock, pause, self._noter.keep)
        self._turn = asyncio.Semaphore(at_once)
        self._seen: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._followers: set[asyncio.Task[None]] = set()
        self._owed: set[Handle] = set()
        """Acknowledged, and without an answer yet."""
        self._typing = self._acknowledging = 0
        self._calm = asyncio.Event()
        self._calm.set()
        self._closed = False

    def take(self, payload: Mapping[str, Any]) -> None:
        """Take an interaction; it is dropped when it cannot be read, or was taken before."""
        taken = translate(payload, self._clock())
        if taken is None or self._known(taken.handle.id):
            return
        if len(self._tasks) >= 2 * self._most_waiting:
            _log.warning("too many Discord interactions wait; one was dropped")
            return
        instead = CLOSING if self._closed else TOO_MANY if len(self._tasks) >= self._most_waiting else ""
        self._begin(self._guarded(taken, instead), self._tasks)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and finish what was taken within so many seconds; what is cut is told so."""
        self._closed = True
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while self._tasks and clock() < until:
            await asyncio.wait(set(self._tasks), timeout=until - clock())
        if self._tasks:
            _log.warning("Discord commands were cut short by the end", commands=len(self._tasks))
        owed = tuple(self._owed)
        left = self._tasks | self._followers
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if owed:
            excuses = [asyncio.create_task(self._rest.edit_original(handle.token, text_body(CUT))) for handle in owed]
            _, late = await asyncio.wait(excuses, timeout=EXCUSE_SECONDS)
            for excuse in late:
                excuse.cancel()
            await asyncio.gather(*excuses, return_exceptions=True)
        await self._noter.drain(seconds)

    # --- what each kind means

    def _work(self, taken: Taken, instead: str) -> Coroutine[Any, Any, None]:
        """What is to be done, or said `instead`; its first call of Discord's is the acknowledgement."""
        match taken:
            case Typing():
                return self._help_typing(taken)
            case _ if instead:
                return self._say(taken.handle, instead)
            case MenuPicked():
                return self._ask(taken)
            case Called(command=None) | Pressed(command=None) | Submitted(command=None):
                return self._say(taken.handle, FORGOTTEN)
            case Pressed():
                return self._press(taken)
        return self._answer(taken)

    async def _answer(self, taken: Called | Submitted) -> None:
        handle, hidden = taken.handle, _is_hidden(taken)
        if not await self._acknowledge(handle, {"type": _THINK, **({"data": {"flags": EPHEMERAL}} if hidden else {})}):
            return
        self._owed.add(handle)
        reply = await self._hear(taken.heard)
        stands = await self._answers.to_command(handle, reply, hidden=hidden)
        self._owed.discard(handle)
        if stands and reply is not None and reply.card is not None and reply.card.moment:
            self._begin(self._keep_true(handle, reply.card), self._followers)

    async def _press(self, pressed: Pressed) -> None:
        if await self._acknowledge(pressed.handle, {"type": _THINK_UNSEEN}):
            await self._answers.to_press(pressed.handle, await self._hear(pressed.heard))

    async def _hear(self, heard: Heard) -> Reply | None:
        async with self._turn:
            await self._after_the_burst()
            try:
                return await self._dispatcher.hear(heard)
            except Exception:
                _log.exception("a Discord command was lost", command=heard.text)
                return BROKEN

    async def _after_the_burst(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BURST_SECONDS):
                await self._calm.wait()

    async def _ask(self, picked: MenuPicked) -> None:
        """Answer a menu with its form."""
        menu = next((menu for menu in MENUS if menu.name == picked.menu), None)
        if menu is None:
            return await self._say(picked.handle, FORGOTTEN)
        try:
            form = menu.form_for(picked.text, self._site)
        except UsageError as error:
            return await self._say(picked.handle, str(error))
        asked = _form(form, f"{FORM}:{form.press}:{picked.about}")
        await self._acknowledge(picked.handle, {"type": _ASK, "data": asked})
        return None

    async def _help_typing(self, typing: Typing) -> None:
        found: Sequence[Suggestion] = ()
        self._typing += 1
        try:
            if self._typing <= MOST_TYPING:
                async with asyncio.timeout(SUGGEST_SECONDS):
                    found = await self._suggest(typing.heard, typing.option, typing.typed)
        except (TimeoutError, MomentsError):
            pass  # a field without suggestions is filled in all the same
        except Exception:
            _log.exception("no suggestion could be made", command=typing.heard.text, option=typing.option)
        finally:
            self._typing -= 1
        choices = [_choice(each) for each in found if each.label and len(each.value) <= CHOICE_LENGTH]
        await self._acknowledge(typing.handle, {"type": _CHOICES, "data": {"choices": choices[:MOST_CHOICES]}})

    async def _say(self, handle: Handle, words: str) -> None:
        """Answer at once, to the caller alone."""
        typed = COMMAND_NAME.sub(rf"{DISCORD.prefix}\1", words)
        said = text_body(rendered(typed, self._site))
        await self._acknowledge(handle, {"type": _SAY, "data": {**said, "flags": said["flags"] | EPHEMERAL}})

    # --- all of them

    async def _acknowledge(self, handle: Handle, body: Body) -> bool:
        """Whether Discord took it in time. If not, nothing is done: its caller was told that it failed."""
        age = max(0.0, (self._clock() - handle.made).total_seconds())
        deadline = asyncio.get_running_loop().time() + max(ACK_SECONDS - age, SHORTEST_ACK_SECONDS)
        self._count(1)
        try:
            await self._rest.callback(handle.id, handle.token, body, deadline=deadline)
        except ProviderError as error:
            _log.warning("a Discord interaction was not taken up", **_told(error), age=round(age, 1))
            return False
        finally:
            self._count(-1)
        return True

    def _count(self, one: int) -> None:
        """One acknowledgement more is under way, or one less."""
        self._acknowledging += one
        (self._calm.clear if self._acknowledging >= BURST else self._calm.set)()

    async def _guarded(self, taken: Taken, instead: str) -> None:
        """Do what is to be done; also when we are broken somebody is told so."""
        try:
            try:
                await self._work(taken, instead)
            except ProviderError:
                raise
            except Exception:
                _log.exception("a Discord interaction was lost", type=type(taken).__name__)
                await self._apologise(taken)
        except ProviderError as error:
            self._owed.discard(taken.handle)
            _log.warning("Discord did not take an answer", **_told(error))

    async def _apologise(self, taken: Taken) -> None:
        match taken:
            case Called() | Submitted():
                await self._answers.to_command(taken.handle, BROKEN, hidden=_is_hidden(taken))
                self._owed.discard(taken.handle)
            case Pressed():
                await self._answers.to_press(taken.handle, BROKEN)
            case MenuPicked():
                await self._say(taken.handle, BROKEN.text)

    async def _keep_true(self, handle: Handle, card: Card) -> None:
        try:
            await self._answers.keep_true(handle, card, self._follow)
        except ProviderError as error:
            _log.info("a card is kept true no longer", **_told(error))
        except Exception:
            _log.exception("a card could not be kept true")

    def _known(self, interaction: str) -> bool:
        if interaction in self._seen:
            return True
        self._seen[interaction] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def _begin(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _is_hidden(taken: Called | Submitted) -> bool:
    """Whether the answer is for its caller alone, also before anybody knows what it will be."""
    is_private = taken.command is not None and taken.command.private
    return is_private or (taken.heard.private and not taken.handle.alone)


def _told(error: ProviderError) -> dict[str, Any]:
    """What may be logged of an error: nothing in Discord's words."""
    told = {"error": type(error).__name__}
    return told | ({"status": error.status, "code": error.code} if isinstance(error, ProviderRefused) else {})


def _choice(suggestion: Suggestion) -> dict[str, str]:
    return {"name": shortened(suggestion.label, CHOICE_LENGTH), "value": suggestion.value}


def _form(form: Form, custom_id: str) -> dict[str, Any]:
    """A form as Discord opens it."""
    rows = []
    for field in form.fields:
        asked: dict[str, Any] = {"type": _TEXT_INPUT, "custom_id": field.name, "style": _ONE_LINE}
        asked |= {"required": field.required, "max_length": field.longest}
        asked |= {"value": field.value[: field.longest]} if field.value else {}
        asked |= {"placeholder": field.example} if field.example else {}
        rows.append({"type": _LABEL, "label": shortened(field.label, _LABEL_LENGTH), "component": asked})
    return {"custom_id": custom_id, "title": shortened(form.title, _LABEL_LENGTH), "components": rows}
