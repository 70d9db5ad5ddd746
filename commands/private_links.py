"""Signed links into private sessions: who may give one, what it opens, and when it ends (LINK-2, LINK-3)."""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from commands.authority import is_own, role_in_guild
from commands.services import Services
from moments.errors import NotAllowed
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Channel, Session, Visibility
from storage import Transaction, audit, named_moderators
from storage.keys import SecretKeys

KEY = "link"
"""What the key of all links is derived for (storage.keys)."""
LASTS, LONGEST = timedelta(hours=24), timedelta(days=7)
OPERATED = "console"
"""The platform nobody logs in on: whoever types there runs this Moments."""
_LAST = frozenset("AEIMQUYcgkosw048")
"""How base64 ends 32 bytes; four spellings of that letter are read alike, and only one is ours."""
NO_LINK = "This link does not work, or not any more. Ask whoever gave it to you for another."


class Purpose(StrEnum):
    """What a link is for; each is signed apart, so that none is taken for the other."""

    VIEW = "view"
    """The session: its page, what happens there, its downloads."""
    EXPORT = "export"
    """One download, and nothing else."""


class Link(NamedTuple):
    """What a link says."""

    purpose: Purpose
    session_id: str
    channel_id: int
    platform: str
    """With user_id the account that gave it."""
    user_id: str
    epoch: int
    """The channel's link_epoch then."""
    until: int
    """Seconds since 1970."""
    file: str = ""
    """The download's ending, for one that opens only that."""

    @property
    def path(self) -> str:
        """The page it leads to."""
        return f"/s/{self.session_id}" + (f"/export.{self.file}" if self.file else "")

    @property
    def ends_at(self) -> datetime:
        """From when on it opens nothing."""
        return datetime.fromtimestamp(self.until, UTC)

    def opens(self, session_id: str, file: str) -> bool:
        """Whether it is for this session's download, or for the session itself when that is empty."""
        return session_id == self.session_id and (self.purpose is Purpose.VIEW or (bool(file) and file == self.file))


async def may_issue(services: Services, channel: Channel, who: Author) -> bool:
    """Whether somebody may give links into a channel: what the store, or Discord, can tell at every use of one."""
    if channel.platform == who.platform == OPERATED or is_own(*who[:2], channel):
        return True
    if await named_moderators.is_named(services.store, channel.id, *who[:2]):
        return True
    return await role_in_guild(services, *who[:2], channel) >= Role.MODERATOR


def is_needed(channel: Channel) -> bool:
    """Whether a channel's pages open for nobody without a login or a link."""
    return channel.visibility is Visibility.PRIVATE


async def issue(
    transaction: Transaction,
    keys: SecretKeys,
    session: Session,
    by: Author,
    now: datetime,
    *,
    file: str = "",
    lasts: timedelta = LASTS,
) -> str:
    """The path of a new link into a session, or to one of its downloads. Who may is asked before (may_issue)."""
    channel = session.channel
    epoch = (
        await transaction.live(Place(channel.platform, channel.platform_id, channel.display_name))
    ).channel.link_epoch
    until = int((now + min(lasts, LONGEST)).timestamp())
    purpose = Purpose.EXPORT if file else Purpose.VIEW
    link = Link(purpose, session.id, channel.id, by.platform, by.user_id, epoch, until, file)
    what, ends = f"{purpose} {file}".strip(), f"until {link.ends_at:%Y-%m-%d %H:%M} UTC"
    await audit.record(transaction, channel, session.id, by, "link", what, after=ends, now=now)
    return f"/link/{_signer(keys, purpose).dumps(link)}"


def read(keys: SecretKeys, token: str) -> Link | None:
    """What a link of ours says, whether or not it still works; None for anything that is none."""
    if token[-1:] not in _LAST:
        return None
    for purpose in Purpose:
        try:
            said = _signer(keys, purpose).loads(token)
        except BadData:
            continue
        if said[0] == purpose:
            return Link(purpose, *said[1:])
    return None


async def works(services: Services, link: Link, session: Session) -> bool:
    """Whether a link opens this session now: not run out, not revoked, and whoever gave it still may."""
    channel = session.channel
    said = (session.id, channel.id, channel.link_epoch)
    if said != (link.session_id, link.channel_id, link.epoch) or services.clock() >= link.ends_at:
        return False
    return await may_issue(services, channel, Author(link.platform, link.user_id, ""))


async def redeem(services: Services, token: str) -> Link:
    """What a link that works says; NotAllowed for any other."""
    link = read(services.keys, token)
    session = await services.store.session(link.session_id) if link else None
    if link is None or session is None or not await works(services, link, session):
        raise NotAllowed(NO_LINK)
    return link


def _signer(keys: SecretKeys, purpose: Purpose) -> URLSafeSerializer:
    # itsdangerous takes the newest key last, and would sign with SHA-1 if it were not told.
    return URLSafeSerializer(
        list(reversed(keys.derive_all(KEY))),
        salt=f"moments link {purpose}",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
