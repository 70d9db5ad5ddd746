"""Every command, known by its name: written once, read off its signature, the same on every platform."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from commands.access import LOWEST_ROLE, LOWEST_ROLE_TO_PRESS
from commands.arguments import Argument
from commands.model import Invocation, Reply
from moments.errors import UsageError

Handler = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a command; `name` is its keyword."""

    name: str
    argument: Argument
    required: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, what it does in a sentence, its other names, and what to type after it."""

    name: str
    help: str
    handler: Handler
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = field(default=())
    private: bool = False
    """Whether its answers are for its caller alone, where the platform can."""
    live: bool = False
    """Whether it is about a stream: in a Discord channel joined to one it means that stream's session."""

    @property
    def usage(self) -> str:
        """As help shows it: `clip [−N] [note]`."""
        words = [p.argument.usage if p.required else f"[{p.argument.usage}]" for p in self.parameters]
        return " ".join([self.name, *words])

    def arguments(self, text: str) -> dict[str, Any]:
        """The keyword arguments in what was typed after the name; UsageError when a required one is missing."""
        found: dict[str, Any] = {}
        for parameter in self.parameters:
            read = parameter.argument.read(text)
            if read is not None:
                found[parameter.name], text = read
            elif parameter.required:
                raise UsageError(f"Say {parameter.argument.description}: `{self.name}` {parameter.argument.usage}.")
        return found

    def named(self, options: Mapping[str, str | int]) -> dict[str, Any]:
        """The keyword arguments from fields of their own; UsageError when one cannot be read or is missing.

        What stands behind the one word of a field goes into the next field, where that was left empty.
        """
        found: dict[str, Any] = {}
        given = {name: value for name, value in options.items() if str(value).strip()}
        for parameter, following in zip(self.parameters, (*self.parameters[1:], None), strict=False):
            argument = parameter.argument
            read = argument.read_field(given[parameter.name]) if parameter.name in given else None
            if read is not None:
                found[parameter.name], behind = read
                if behind and (following is None or following.name in given):
                    raise UsageError(f"Only one word belongs in the field {parameter.name} — {argument.description}.")
                if behind and following is not None:
                    given[following.name] = behind
            elif parameter.required or parameter.name in given:
                raise UsageError(f"Say {argument.description}: `{self.name}` {argument.usage}.")
        return found

    def run(self, call: Invocation, text: str) -> Awaitable[Reply]:
        """Read the arguments and answer; raises MomentsError in words, at once or when awaited."""
        options = call.heard.options
        return self.handler(call, **(self.arguments(text) if options is None else self.named(options)))


COMMANDS: dict[str, Command] = {}
"""By name."""
NAMES: dict[str, Command] = {}
"""By name and alias."""
PRESSES: dict[str, Command] = {}
"""What buttons and forms do, by name; nobody types these."""


def command(
    name: str,
    help: str,  # noqa: A002 -- reads best where commands are declared
    aliases: tuple[str, ...] = (),
    *,
    private: bool = False,
    live: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a command; its parameters are those of the function, annotated with an Argument."""

    def register(handler: Handler) -> Handler:
        if name not in LOWEST_ROLE:
            raise LookupError(f"{name} has no row in commands/access.py")
        made = Command(name, help, handler, aliases, tuple(_parameters(handler)), private, live)
        COMMANDS[name] = made
        for word in (name, *aliases):
            if NAMES.setdefault(word, made) is not made:
                raise LookupError(f"{word} names two commands")
        return handler

    return register


def press(name: str, help: str) -> Callable[[Handler], Handler]:  # noqa: A002 -- as above
    """Register what a button or a form does; like a command, but nobody types it."""

    def register(handler: Handler) -> Handler:
        if name not in LOWEST_ROLE_TO_PRESS or name in PRESSES:
            raise LookupError(f"{name} has no row in commands/access.py, or names two presses")
        PRESSES[name] = Command(name, help, handler, (), tuple(_parameters(handler)))
        return handler

    return register


def _parameters(handler: Handler) -> list[Parameter]:
    hints = get_type_hints(handler, include_extras=True)
    found = []
    for parameter in list(inspect.signature(handler).parameters.values())[1:]:
        (argument,) = (extra for extra in hints[parameter.name].__metadata__ if isinstance(extra, Argument))
        found.append(Parameter(parameter.name, argument, parameter.default is inspect.Parameter.empty))
    return found
