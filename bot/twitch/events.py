"""Which use case each of Twitch's events is for."""

from datetime import datetime

import structlog

from bot.twitch.intake import Use
from bot.twitch.translate import Happening, MessageDeleted, PersonSilenced, Updated, WentOffline, WentOnline
from commands import connecting, moderation, streams
from commands.services import Services
from moments.errors import ProviderError

_log = structlog.get_logger("twitch")


def use_cases(services: Services) -> Use:
    """The real ones."""

    async def happened(event: Happening, arrived: datetime) -> None:
        match event:
            case WentOnline(place, message_id, stream_id):
                await streams.went_online(services, place, stream_id, message_id, arrived)
                await _learn_words(services, event)
            case WentOffline(place, message_id):
                await streams.went_offline(services, place, message_id, arrived)
            case Updated(place, message_id, title, category):
                await streams.channel_updated(services, place, title, category, message_id, arrived)
            case MessageDeleted(place, message_id, deleted):
                await moderation.message_deleted(services, place, deleted, arrived)
            case PersonSilenced(place, message_id, user_id):
                await moderation.person_silenced(services, place, user_id, arrived, message_id)

    async def revoked(user_id: str, status: str, at: datetime) -> None:
        await connecting.revoked(services, user_id, status, at)

    return Use(happened, revoked)


async def _learn_words(services: Services, event: WentOnline) -> None:
    """stream.online does not say what the stream is called; without Helix's word it goes on unnamed for now."""
    if services.twitch is None:
        return
    try:
        found = await services.twitch.helix.channels([event.place.platform_id])
    except ProviderError as error:
        _log.warning("what a stream is called could not be asked", channel=event.place.platform_id, error=str(error))
        services.changed.set()  # all streams are asked about anew, until Helix answers
        return
    for channel in found:
        await streams.set_stream_info(services, event.place, channel.title, channel.category, services.clock())
