"""Help, generated from the commands themselves."""

from commands.access import LOWEST_ROLE, may
from commands.arguments import CommandName
from commands.joining import is_offered
from commands.model import Heard, Invocation, Reply
from commands.registry import COMMANDS, NAMES, command
from moments.errors import UsageError


@command("help", "List the commands, or explain one.", private=True)
async def help_(call: Invocation, about: CommandName = "") -> Reply:
    """What the caller may type."""
    if not about:
        names = offered(call.heard)
        listed = ", ".join(f"`{word}`" for word in names)
        return Reply(f"You can type: {listed}. For more about one: `help` {names[0]}")
    found = NAMES.get(about.lower().removeprefix(call.heard.platform.prefix))
    if found is None:
        raise UsageError("There is no such command. Type `help` for the list.")
    if call.heard.options is not None:  # fields of their own, and nothing typed but a command's one name
        fields = "; ".join(f"{p.name}: {p.argument.description}" for p in found.parameters)
        return Reply(f"Type `{found.name}` — {found.help} {f'Its fields are {fields}.' if fields else ''}".strip())
    also = f" Also: {', '.join(found.aliases)}." if found.aliases else ""
    arguments = "; ".join(f"{p.argument.usage}: {p.argument.description}" for p in found.parameters)
    return Reply(f"Type `{found.name}`{found.usage.removeprefix(found.name)} — {found.help}{also} {arguments}".strip())


def offered(heard: Heard) -> list[str]:
    """The names of the commands that whoever typed a message may use where they typed it."""
    return [name for name in LOWEST_ROLE if may(heard.role, name) and is_offered(heard, COMMANDS[name])]
