"""Where the marks can be seen and taken home: clips and export."""

from commands import private_links
from commands.arguments import Format
from commands.model import Invocation, Reply
from commands.registry import command
from commands.stream import current_session
from moments.errors import UsageError
from moments.sessions import Session
from moments.wording import counted
from storage import Transaction

HOURS = int(private_links.LASTS.total_seconds() // 3600)


@command("clips", "Link to the page with all marks.", live=True, private=True)
async def clips(call: Invocation) -> Reply:
    """The session's page."""
    session = await current_session(call)
    what = f"All marks of {call.quoted(session.name)}"
    if private_links.is_needed(session.channel):
        return await _privately(call, session, what, "")
    return Reply(f"{what}: {call.services.link(f'/s/{session.id}')}")


@command("export", "Link to the downloads, or to one of them.", live=True, private=True)
async def export(call: Invocation, format: Format = "") -> Reply:  # noqa: A002 -- the word people type
    """The session's downloads. A private channel's are never linked where others read along (LINK-1)."""
    formats = ", ".join(call.services.formats)
    wanted = format.lower().removeprefix(".")
    if wanted and wanted not in call.services.formats:
        raise UsageError(f"There is no such download. Take one of: {formats}.")
    session = await current_session(call)
    what = (
        f"Download {call.quoted(session.name)}" if wanted else f"Downloads of {call.quoted(session.name)} ({formats})"
    )
    if private_links.is_needed(session.channel):
        return await _privately(call, session, what, wanted)
    return Reply(
        f"{what}: {call.services.link(f'/s/{session.id}')}" + (f"/export.{wanted}" if wanted else "#downloads")
    )


async def _privately(call: Invocation, session: Session, what: str, file: str) -> Reply:
    """A signed link for its reader alone; where everyone reads along, the way in for those who moderate here."""
    author = call.heard.author
    may_have_one = await private_links.may_issue(call.services.store, session.channel, author)
    if not (call.heard.platform.private_replies and may_have_one):
        page = f"/s/{session.id}" + (f"/export.{file}" if file else "")
        login = call.services.link(f"/login/twitch?moderator=1&return={page}")
        return Reply(f"This channel's pages are private; its moderators log in: {login}")

    async def issue(transaction: Transaction) -> str:
        return await private_links.issue(transaction, call.services.keys, session, author, call.arrived, file=file)

    link = call.services.link(await call.write(issue))
    return Reply(f"{what}, open for {counted(HOURS, 'hour')} to whoever has this link: {link}", private=True)
