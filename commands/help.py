"""Help, generated from the commands themselves."""

from commands.access import LOWEST_ROLE, may
from commands.arguments import CommandName
from commands.model import Invocation, Reply
from commands.registry import NAMES, command
from moments.errors import UsageError


@command("help", "List the commands, or explain one.", private=True)
async def help_(call: Invocation, name: CommandName = "") -> Reply:
    """What the caller may type."""
    if not name:
        names = ", ".join(f"`{word}`" for word in LOWEST_ROLE if may(call.heard.role, word))
        return Reply(f"You can type: {names}. For more about one: `help` clip")
    found = NAMES.get(name.lower().removeprefix(call.heard.platform.prefix))
    if found is None:
        raise UsageError("There is no such command. Type `help` for the list.")
    also = f" Also: {', '.join(found.aliases)}." if found.aliases else ""
    arguments = "; ".join(f"{p.argument.usage}: {p.argument.description}" for p in found.parameters)
    return Reply(f"Type `{found.name}`{found.usage.removeprefix(found.name)} — {found.help}{also} {arguments}".strip())
