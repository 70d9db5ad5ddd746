"""Pages that are one reader's own: never cached, and their forms carry the reader's token."""

from aiohttp import hdrs, web

from web_export.csrf import token_of
from web_export.render import html_response, render

PERSONAL_CACHE = "private, no-store"
SAID = {
    "refused": "Twitch did not log you in. Nothing was changed.",
    "refused-discord": "Discord did not log you in. Nothing was changed.",
    "out": "You are logged out.",
    "ended": "That login is ended.",
    "gone": "That login was over already.",
    "disconnected": "Your channel is disconnected, and every login of yours is ended. Your marks stay.",
    "untold": "Your channel is disconnected here, and every login of yours is ended. Twitch could not be told just "
    "now: open Settings, Connections on Twitch and remove Moments there, too.",
    "linked": "Your accounts are linked: you count as one person.",
    "not-linked": "The other account was not linked. Nothing was changed.",
    "unlinked": "Unlinked. Each account has what was marked and saved with it.",
    "not-together": "Those accounts were not linked.",
    "deleted": "That moment is deleted, and counts no more.",
    "none": "That moment was deleted before.",
    "forgotten": "Everything about you is deleted.",
    "not-connected": "Twitch did not connect your channel. Nothing was changed.",
    "bot": "The bot’s account is connected. From now on, streamers connect their channels on this page.",
    "started": "A new session has begun.",
    "paused": "Paused: marks wait until you resume.",
    "resumed": "Resumed, in a new segment.",
    "over": "The session is over.",
    "shifted": "The links into the recording are corrected.",
    "hidden": "Hidden: nobody but moderators sees that mark.",
    "restored": "Everybody sees that mark again.",
    "blocked": "Blocked: no more marks of theirs are taken here.",
    "unblocked": "Their marks are taken again.",
    "revoked": "Every link into this channel that was given out so far is useless now.",
    "joined": "Joined: what is marked in that Discord channel goes into your session.",
    "unjoined": "That Discord channel is joined no more. Its marks stay.",
    "not-joined": "That was over already: no such Discord channel is joined to yours.",
    "chosen": "Your settings are kept.",
    "same": "Nothing to change: your settings were so already.",
    "bot-refused": "The bot’s account was not connected. Open the link from the terminal again.",
}
"""What a page may say of what was just done, by the word in its address; other words say nothing."""


async def personal_page(request: web.Request, template: str, **values: object) -> web.Response:
    """One reader's page."""
    said = SAID.get(request.query.get("said", ""), "")
    body = render(template, csrf=await token_of(request), said=said, **values)
    response = html_response(body, cache=PERSONAL_CACHE)
    response.headers[hdrs.VARY] = hdrs.COOKIE
    return response
