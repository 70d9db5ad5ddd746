"""Where the marks can be seen and taken home: clips and export."""

from commands.arguments import Format
from commands.model import Invocation, Reply
from commands.registry import command
from commands.stream import current_session
from moments.errors import UsageError
from moments.sessions import Visibility

PRIVATE = "This channel is private. On the machine Moments runs on, type: moments export latest --format csv"


@command("clips", "Link to the page with all marks.")
async def clips(call: Invocation) -> Reply:
    """The session's page."""
    session = await current_session(call)
    if session.channel.visibility is Visibility.PRIVATE:
        return Reply(PRIVATE, private=True)
    return Reply(f"All marks of {call.quoted(session.name)}: {call.services.link(f'/s/{session.id}')}")


@command("export", "Link to the downloads, or to one of them.")
async def export(call: Invocation, format: Format = "") -> Reply:  # noqa: A002 -- the word people type
    """The session's downloads. A private channel's are never linked where others read along (LINK-1)."""
    formats = ", ".join(call.services.formats)
    wanted = format.lower().removeprefix(".")
    if wanted and wanted not in call.services.formats:
        raise UsageError(f"There is no such download. Take one of: {formats}.")
    session = await current_session(call)
    if session.channel.visibility is Visibility.PRIVATE:
        return Reply(PRIVATE, private=True)
    page = call.services.link(f"/s/{session.id}")
    if wanted:
        return Reply(f"Download {call.quoted(session.name)}: {page}/export.{wanted}")
    return Reply(f"Downloads of {call.quoted(session.name)} ({formats}): {page}#downloads")
