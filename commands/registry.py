"""Every command, known by its name: written once, read off its signature, the same on every platform."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from commands.access import LOWEST_ROLE
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

    def run(self, call: Invocation, text: str) -> Awaitable[Reply]:
        """Read the arguments and answer; raises MomentsError in words, at once or when awaited."""
        return self.handler(call, **self.arguments(text))


COMMANDS: dict[str, Command] = {}
"""By name."""
NAMES: dict[str, Command] = {}
"""By name and alias."""


def command(name: str, help: str, aliases: tuple[str, ...] = ()) -> Callable[[Handler], Handler]:  # noqa: A002 -- reads best where commands are declared
    """Register a command; its parameters are those of the function, annotated with an Argument."""

    def register(handler: Handler) -> Handler:
        if name not in LOWEST_ROLE:
            raise LookupError(f"{name} has no row in commands/access.py")
        made = Command(name, help, handler, aliases, tuple(_parameters(handler)))
        COMMANDS[name] = made
        for word in (name, *aliases):
            if NAMES.setdefault(word, made) is not made:
                raise LookupError(f"{word} names two commands")
        return handler

    return register


def _parameters(handler: Handler) -> list[Parameter]:
    hints = get_type_hints(handler, include_extras=True)
    found = []
    for parameter in list(inspect.signature(handler).parameters.values())[1:]:
        (argument,) = (extra for extra in hints[parameter.name].__metadata__ if isinstance(extra, Argument))
        found.append(Parameter(parameter.name, argument, parameter.default is inspect.Parameter.empty))
    return found
