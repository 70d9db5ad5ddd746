"""How long everything about people is kept: the one table of it (PRIV-1, PRIV-6). storage/purge.py keeps to it."""

from datetime import timedelta
from typing import NamedTuple

from moments.wording import counted
from storage import answers, linking, posts
from storage.memory import MESSAGES_REMEMBERED

API_DATA = timedelta(hours=24)
"""What Twitch lets us keep of its answers; also how old a login's list of moderated channels may grow."""
LOGIN_IDLE, LOGIN_LONGEST = timedelta(days=30), timedelta(days=90)
"""A web session nobody opened a page with, and any (AUTH-5)."""
GRANT_UNUSED = timedelta(days=90)
"""Tokens nobody needed, of a channel in which nothing happened."""
LOGIN_ATTEMPT = timedelta(minutes=10)
JOIN_CODE = timedelta(minutes=10)
"""A code that joins a Discord channel to a stream (AZ-4)."""


class Kept(NamedTuple):
    """Something of people that is kept: a row of /privacy, and a rule of the purge."""

    name: str
    what: str
    why: str
    columns: tuple[str, ...]
    """Where it is, as `table.column`."""
    lasts: timedelta | None = None
    """The longest it is kept; None: `until` says when it goes."""
    until: str = ""

    @property
    def how_long(self) -> str:
        """The words for it."""
        return self.until if self.lasts is None else _length(self.lasts)


def _length(lasts: timedelta) -> str:
    if lasts.days > 1:
        return counted(lasts.days, "day")
    hours, minutes = divmod(round(lasts.total_seconds()) // 60, 60)
    return counted(hours, "hour") if hours else counted(minutes, "minute")


_UNTIL_FORGOTTEN = "until you type `forgetme`"
_WITH_THE_CHANNEL = "as long as the channel's pages"

RETENTION: tuple[Kept, ...] = (
    Kept(
        "Marks",
        "what you marked and when, your note, and the name you had in that chat",
        "they are what you came to leave here",
        (
            *("mark.account_id", "mark.submitted_by", "mark.note", "mark.instant", "mark.created_at"),
            *("mark.platform", "mark.source_message_id"),
        ),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "Saved moments",
        "which parts of which recordings you saved, when and where, your note, and the link you pasted",
        "they are what you came to leave here",
        (
            *("save.account_id", "save.note", "save.origin", "save.url", "save.created_at", "save.platform"),
            *("save.source_message_id", "save.message_url", "save.hidden_by", "save.hidden_reason"),
        ),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "What is the same recording",
        "who said that two recordings are the same, or are not",
        "so that it can be looked at again, and undone",
        (
            *("track_merge.asked_by", "track_merge.merged_at", "track_merge.undone_by", "track_merge.undone_at"),
            *("match_question.answered_by", "match_question.answered_at"),
        ),
        until="for good; the names of those who asked to be forgotten go at once",
    ),
    Kept(
        "What services tell of recordings",
        "titles, names of artists and channels, and where a recording may be played",
        "to show what a moment is of",
        (
            *("api_source.title", "api_source.by_line", "api_source.isrc", "api_source.links"),
            *("api_source.duration_seconds", "api_source.embeddable", "api_source.age_restricted"),
            *("api_source.regions_allowed", "api_source.regions_blocked", "api_source.live"),
        ),
        until="as long as that service allows, and not after it is gone or private there",
    ),
    Kept(
        "Accounts",
        "which account on which platform is yours, and its name",
        "to count people, not messages, and to let you change what is yours",
        ("account.person_id", "account.platform", "account.user_id", "account.display_name", "person.id"),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "Linked accounts",
        "that accounts are one person's, since when, and whether each may list and delete what is the other's",
        "to count you once",
        ("account_link.account_id", "account_link.linked_at", "account_link.settled"),
        until="until you unlink them, or type `forgetme`",
    ),
    Kept(
        "Changes of links",
        "which accounts were linked or unlinked, when, by which of them, and whether the other has heard of it",
        "to tell the other, to keep counts steady, and so that a restored backup links nobody again",
        (
            *("link_change.id", "link_change.at", "link_change.platform", "link_change.user_id"),
            *("link_change.other_platform", "link_change.other_user_id", "link_change.act", "link_change.told"),
        ),
        lasts=linking.CHANGES_REMEMBERED,
    ),
    Kept(
        "Codes for linking",
        "who asked for a code and who typed it first, beside a digest of the code",
        "so that nobody is linked by a single message",
        (
            *("link_code.platform", "link_code.user_id", "link_code.display_name", "link_code.digest"),
            *("link_code.expires_at", "link_code.tries", "link_code.by_platform", "link_code.by_user_id"),
        ),
        lasts=linking.CODE_LASTS,
    ),
    Kept(
        "Pace",
        "when you last marked something in a channel",
        "so that removing a mark does not shorten the wait for the next",
        ("pace.person_id", "pace.last_accepted"),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "Messages",
        "the numbers platforms gave to commands and to timeouts in chat, without any words",
        "so that what is delivered twice does nothing twice",
        ("handled_message.platform", "handled_message.message_id"),
        lasts=MESSAGES_REMEMBERED,
    ),
    Kept(
        "Channels",
        "a channel's number and name on its platform, and what its streams were called by its moderators",
        "to show its marks under its name",
        ("channel.platform_id", "channel.display_name", "session.title", "session.game"),
        until=_WITH_THE_CHANNEL,
    ),
    Kept(
        "What Twitch tells of a stream",
        "a channel's present login; title and category of a stream; its archives",
        "for links to a channel by name, and from marks into the archive",
        (
            *("channel.login", "channel.login_expires_at"),
            *("api_stream.title", "api_stream.game"),
            *("api_archive.video_id", "api_archive.stream_id", "api_archive.title"),
            *("api_archive.created_at", "api_archive.muted"),
        ),
        lasts=API_DATA,
    ),
    Kept(
        "Streams",
        "the numbers Twitch gave to a channel's streams, and when they began and ended",
        "to find the place of a mark in the archive",
        ("segment.stream_id", "stream_state.stream_id", "stream_state.started_at", "stream_state.offline_at"),
        until=_WITH_THE_CHANNEL,
    ),
    Kept(
        "Permissions of streamers",
        "the keys Twitch gave us when you connected your channel, encrypted, your login, and what they allow",
        "to be in your chat, and for the extras you switched on",
        (
            *("credential.platform", "credential.user_id", "credential.login", "credential.access"),
            *("credential.refresh", "credential.scopes"),
        ),
        until=f"until you disconnect or take it back; {_length(GRANT_UNUSED)} after the last use and your last stream",
    ),
    Kept(
        "Connections",
        "that a channel was connected, when, and with which permissions",
        "to know which chats to be in",
        ("connection.state", "connection.scopes", "connection.connected_at", "connection.changed_at"),
        until=_WITH_THE_CHANNEL,
    ),
    Kept(
        "Joined channels",
        "which Discord channel is joined to which stream, what its server was called then, who asked, and since when",
        "so that both chats fill the same session",
        (
            *("joined.discord_channel", "joined.guild_id", "joined.guild_name", "joined.channel_name"),
            *("joined.requested_by", "joined.joined_at"),
        ),
        until="until the server or the streamer ends it, the bot leaves the server, or the channel is disconnected",
    ),
    Kept(
        "Codes for joining",
        "who asked, and for which Discord channel, beside a digest of the code",
        "so that a streamer can see what they agree to",
        (
            *("join_request.discord_channel", "join_request.guild_id", "join_request.guild_name"),
            *("join_request.channel_name", "join_request.requested_by", "join_request.requested_name"),
            *("join_request.code_digest", "join_request.expires_at"),
        ),
        lasts=JOIN_CODE,
    ),
    Kept(
        "Feeds",
        "which Discord channels are shown a stream's marks, who wanted that, and whether something is in its way",
        "to post there",
        (
            *("feed.discord_channel", "feed.guild_id", "feed.set_by", "feed.set_at"),
            *("followed.discord_channel", "followed.session_id"),
        ),
        until="until the bot leaves that server; the names of those who asked to be forgotten go at once",
    ),
    Kept(
        "Posts",
        "the numbers Discord gave to our posts, and digests of what they say, without any words",
        "so that a post goes when what it shows goes",
        (
            *("post.discord_channel", "post.session_id", "post.message_id", "post.nonce", "post.digest"),
            "post.sent_at",
        ),
        until="as long as the post stands, or until the bot leaves that server; of posts that were deleted there,"
        f" {_length(posts.KEPT_AFTERWARDS)} after the session",
    ),
    Kept(
        "Answers",
        "the numbers Discord gave to answers that everybody in a channel reads, and which mark or moment they show",
        "so that an answer goes when what it shows goes",
        (
            *("answer.guild_id", "answer.discord_channel", "answer.message_id", "answer.session_id", "answer.number"),
            *("answer.save_id", "answer.refused_at"),
        ),
        until="as long as that mark or moment, then until Discord has deleted the answer, for which we try"
        f" {_length(answers.TRIED_FOR)}; or until the bot leaves that server",
    ),
    Kept(
        "Discord servers",
        "which server a Discord channel belongs to, and its name",
        "so that Discord can be asked who moderates it",
        ("discord_channel.discord_channel", "discord_channel.guild_id", "discord_channel.guild_name"),
        until="until the bot leaves that server",
    ),
    Kept(
        "Ways to a login",
        "that a browser has gone to log in, as a digest",
        "so that nobody else's browser can come back in your place",
        (
            *("login_attempt.state_digest", "login_attempt.browser_digest", "login_attempt.nonce"),
            *("login_attempt.return_path", "login_attempt.details"),
        ),
        lasts=LOGIN_ATTEMPT,
    ),
    Kept(
        "Logins",
        "which account is logged in, the name it had then, since when, and the time of the last page",
        "to know you again on the next page",
        (
            *("web_session.id", "web_session.secret_digest", "web_session.platform", "web_session.user_id"),
            *("web_session.display_name", "web_session.created_at", "web_session.seen_at"),
        ),
        lasts=LOGIN_LONGEST,
    ),
    Kept(
        "Channels you moderate",
        "which channels Twitch says you moderate",
        "to show their moderators what only they may see",
        ("web_session.moderates", "web_session.moderates_at"),
        lasts=API_DATA,
    ),
    Kept(
        "Moderation",
        "who hid a mark and why, and what moderators did in a channel",
        "so that its streamer can see what was done in their name, and undo it",
        (
            *("mark.hidden_by", "mark.hidden_reason", "audit.at", "audit.actor_platform", "audit.actor_user_id"),
            *("audit.act", "audit.target", "audit.before", "audit.after"),
            *("promotion.requested_by", "promotion.requested_at", "promotion.clip_id", "promotion.url"),
        ),
        until="as long as the channel's pages; the names of those who asked to be forgotten go at once",
    ),
    Kept(
        "Moderators by name",
        "accounts a streamer has named as moderators of their pages, and the name each had then",
        "to let them in",
        (
            *("named_moderator.platform", "named_moderator.user_id", "named_moderator.display_name"),
            "named_moderator.named_at",
        ),
        until="until the streamer, or you with `forgetme`, ends it",
    ),
    Kept(
        "Blocks",
        "accounts that may not mark in a channel, the name each had when it was blocked, and who decided that",
        "so that a block outlives a new name and `forgetme`",
        (
            *("barred.platform", "barred.user_id", "barred.display_name", "barred.barred_by"),
            "barred.barred_at",
        ),
        until="until a moderator lifts it; after `forgetme` without a name",
    ),
    Kept(
        "Who was forgotten",
        "a digest of your account and the time, which nobody can turn back into a name without our key",
        "so that a restored backup forgets you again",
        ("forgotten.digest", "forgotten.forgotten_at"),
        until="for good",
    ),
)
