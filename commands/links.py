"""Where the marks can be seen and taken home: clips and export."""

from commands import private_links
from commands.access import may_see
from commands.arguments import Format, SessionId
from commands.model import Invocation, Reply
from commands.registry import command
from commands.stream import PRIVATE, current_session
from moments.errors import NotFound, Refusal, UsageError
from moments.sessions import Session
from moments.wording import counted
from storage import Transaction
from storage.joined import DISCORD

_TWITCH_LOGIN = "/login/twitch?moderator=1&"
_LOGIN = {DISCORD: "/login/discord?"}
"""Where a channel's moderators log in, by its platform, where that is not Twitch's."""
HOURS = int(private_links.LASTS.total_seconds() // 3600)


@command("clips", "Link to the page with all marks.", live=True, private=True)
async def clips(call: Invocation, session: SessionId = "") -> Reply:
    """The session's page."""
    found = await _session(call, session)
    what = f"All marks of {call.quoted(found.name)}"
    if private_links.is_needed(found.channel):
        return await _privately(call, found, what, "")
    return Reply(f"{what}: {call.services.link(f'/s/{found.id}')}")


@command("export", "Link to the downloads, or to one of them.", live=True, private=True)
async def export(call: Invocation, format: Format = "", session: SessionId = "") -> Reply:  # noqa: A002 -- the word people type
    """The session's downloads. A private channel's are never linked where others read along (LINK-1)."""
    formats = ", ".join(call.services.formats)
    wanted = format.lower().removeprefix(".")
    if wanted and wanted not in call.services.formats:
        raise UsageError(f"There is no such download. Take one of: {formats}.")
    found = await _session(call, session)
    what = f"Download {call.quoted(found.name)}" if wanted else f"Downloads of {call.quoted(found.name)} ({formats})"
    if private_links.is_needed(found.channel):
        return await _privately(call, found, what, wanted)
    return Reply(f"{what}: {call.services.link(f'/s/{found.id}')}" + (f"/export.{wanted}" if wanted else "#downloads"))


async def _session(call: Invocation, word: str) -> Session:
    """One of this channel's sessions; NotFound for any other, Refusal when the caller may not be told of it."""
    if word.lower() in ("", "latest"):
        return await current_session(call)
    found = await call.services.store.session(word)
    if found is None or (found.channel.platform, found.channel.platform_id) != call.heard.place[:2]:
        raise NotFound("This channel has no such session. Leave it out for the newest one.")
    if not may_see(call.heard.role, found.channel):
        raise Refusal(PRIVATE)
    return found


async def _privately(call: Invocation, session: Session, what: str, file: str) -> Reply:
    """A signed link for its reader alone; where everyone reads along, the way in for those who moderate here."""
    author = call.heard.author
    may_have_one = await private_links.may_issue(call.services, session.channel, author)
    if not (call.heard.platform.private_replies and may_have_one):
        page = f"/s/{session.id}" + (f"/export.{file}" if file else "")
        login = call.services.link(f"{_LOGIN.get(session.channel.platform, _TWITCH_LOGIN)}return={page}")
        return Reply(f"This channel's pages are private; its moderators log in: {login}")

    async def issue(transaction: Transaction) -> str:
        return await private_links.issue(transaction, call.services.keys, session, author, call.arrived, file=file)

    link = call.services.link(await call.write(issue))
    return Reply(f"{what}, open for {counted(HOURS, 'hour')} to whoever has this link: {link}", private=True)
