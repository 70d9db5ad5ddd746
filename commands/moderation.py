"""Moderation follows chat, and what moderators may do themselves: hide and restore marks, bar and unbar people."""

from contextlib import suppress
from datetime import datetime, timedelta

from commands.recorded import origin_of
from commands.services import Services
from moments.errors import NotFound, Refusal, Repeated
from moments.live import Author, Place
from moments.marks import Timestamp
from moments.sessions import Channel, Session
from storage import Transaction, audit, barred, channels, hiding
from storage.hiding import hidden
from storage.ledger import account_key

__all__ = ["bar", "hidden", "hide", "message_deleted", "person_silenced", "restore", "unbar"]

CHAT = "chat"
WORDS_BACK = timedelta(hours=12)
"""Hides marks where the chat's own moderation did."""


async def message_deleted(services: Services, place: Place, message_id: str, now: datetime) -> None:
    """A message is gone from chat: every mark it made or last worded is hidden, in any session of the channel, and so
    are the words of a moment it saved.

    Told before the message itself reached us, it keeps that from doing anything. Told again, it does nothing, also
    when a moderator has restored the mark since.
    """

    async def follow(transaction: Transaction) -> None:
        channel = (await transaction.live(place)).channel
        marks = await hiding.of_message(transaction, channel, message_id)
        for mark in marks:
            await hiding.hide(transaction, place, mark, CHAT, "message deleted")
        await hiding.hide_words_of(transaction, (place.platform, message_id), CHAT, "message deleted")
        if not marks:
            await transaction.spend_message((place.platform, message_id), now)

    with suppress(Repeated):
        await services.store.run(follow, message=(place.platform, f"deleted {message_id}"), now=now)


async def person_silenced(
    services: Services, place: Place, user_id: str, now: datetime, message_id: str | None = None
) -> None:
    """Somebody was timed out or banned: all their marks of the channel's newest session are hidden, and what they said
    there about moments they saved, since it began or for WORDS_BACK, whichever is longer.

    Told again by the same message, or of the same instant, it does nothing: a moderator may have restored some.
    """

    async def follow(transaction: Transaction) -> None:
        live = await transaction.live(place)
        live.silenced[place.platform, user_id] = now
        account, since = (place.platform, user_id), now - WORDS_BACK
        if live.session is not None:
            since = min(since, live.session.created_at)
            await hiding.hide_all_of(transaction, place, live.session, account, CHAT, "silenced")
        await hiding.hide_words_by(transaction, account, origin_of(place), since, CHAT, "silenced")

    told = message_id or f"silenced {place.platform_id} {user_id} {now.isoformat()}"
    with suppress(Repeated):
        await services.store.run(follow, message=(place.platform, told), now=now)


async def hide(
    services: Services, channel: Channel, session: Session, number: int, by: Author, reason: str, now: datetime
) -> None:
    """Take a mark out of everyone's sight; NotFound when there is none to be seen with this number."""
    place = _place(channel)
    _check_owner(channel, session, number)

    async def act(transaction: Transaction) -> None:
        mark = hiding.MarkOf(session.row_id, session.id, number)
        if not await hiding.hide(transaction, place, mark, account_key(by), reason):
            raise NotFound(_NO_MARK.format(number))
        await audit.record(transaction, channel, session.id, by, "hide", f"#{number}", "", reason, now=now)

    await services.store.run(act, message=None, now=now)


async def restore(
    services: Services, channel: Channel, session: Session, number: int, by: Author, now: datetime
) -> Timestamp:
    """Show a hidden mark again, whoever hid it; NotFound when no hidden one has this number. The mark, as it was."""
    place = _place(channel)
    _check_owner(channel, session, number)

    async def act(transaction: Transaction) -> Timestamp:
        mark = await hiding.restore(transaction, place, session, number)
        if mark is None:
            raise NotFound(f"There is no hidden mark #{number} in this session.")
        await audit.record(
            transaction, channel, session.id, by, "restore", f"#{number}", mark.hidden_reason or "", now=now
        )
        return mark

    return await services.store.run(act, message=None, now=now)


async def bar(services: Services, channel: Channel, who: Author, by: Author, now: datetime) -> bool:
    """Take no marks from an account in this channel any more; False when that was so already."""

    async def act(transaction: Transaction) -> bool:
        return await bar_in(transaction, _place(channel), who, by, now)

    return await services.store.run(act, message=None, now=now)


async def unbar(services: Services, channel: Channel, who: Author, by: Author, now: datetime) -> bool:
    """Take marks from an account again; False when they were taken."""

    async def act(transaction: Transaction) -> bool:
        return await unbar_in(transaction, _place(channel), who, by, now)

    return await services.store.run(act, message=None, now=now)


async def bar_in(transaction: Transaction, place: Place, who: Author, by: Author, now: datetime) -> bool:
    """The same inside a transaction; the channel is stored if it was not."""
    if who[:2] == place[:2]:
        raise Refusal("The broadcaster can always mark here.")
    channel = await channels.stored(transaction, place)
    if not await barred.add(transaction, channel, who, by, now):
        return False
    await transaction.let_channel_go(place)
    await audit.record(transaction, channel, None, by, "bar", account_key(who), now=now)
    return True


async def unbar_in(transaction: Transaction, place: Place, who: Author, by: Author, now: datetime) -> bool:
    """The same inside a transaction."""
    channel = (await transaction.live(place)).channel
    if not await barred.remove(transaction, channel, who.platform, who.user_id):
        return False
    await transaction.let_channel_go(place)
    await audit.record(transaction, channel, None, by, "unbar", account_key(who), now=now)
    return True


_NO_MARK = "There is no mark #{} to hide in this session."


def _check_owner(channel: Channel, session: Session, number: int) -> None:
    if session.channel.id != channel.id:  # somebody else's session answers like one that is not there (AZ-6)
        raise NotFound(_NO_MARK.format(number))


def _place(channel: Channel) -> Place:
    return Place(channel.platform, channel.platform_id, channel.display_name)
