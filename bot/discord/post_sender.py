"""One Discord channel's messages: each made once, changed and taken away, with what is known of it kept in step."""

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn, Protocol

import orjson
import structlog

from bot.discord.cards import Body, text_body
from commands.post_steps import Step
from commands.services import Services
from moments.errors import ProviderBusy, ProviderDown, ProviderError, ProviderRefused
from storage import Transaction, answers, feeds, posts
from storage.posts import Post, State

NONCE_HOLDS = timedelta(minutes=2)
"""For so long Discord surely knows a nonce again ("in the past few minutes"): asking twice posts once."""
_UNKNOWN_MESSAGE, _UNKNOWN_CHANNEL = "10008", "10003"
_WHY = {
    "50001": "Moments may not see that channel any more: allow it View Channel there, then type `setup` feed again.",
    "50013": "Moments may not post there any more: allow it View Channel, Send Messages and Embed Links, then type"
    " `setup` feed again.",
    _UNKNOWN_CHANNEL: "that channel is gone. Type `setup` feed in the channel that shall take its place.",
}
_NOT_SURE = (
    "Discord went away in the middle of a post, and Moments may not read back whether it stands: allow it Read Message"
    " History, and look whether one is missing there."
)
_NOT_TAKEN = "Discord did not take a post, which is left out; the session's page has all marks."

PURPOSE = "posts"
"""What the key of the digests of posts is derived for (storage.keys)."""

_log = structlog.get_logger("discord_bot")


class Api(Protocol):
    """Discord's messages; all raise ProviderError."""

    async def post(self, channel_id: str, body: Body) -> str:
        """Post a message; its id. One with a nonce that was posted moments ago is not posted again."""

    async def edit(self, channel_id: str, message_id: str, body: Body) -> None:
        """Change a message of ours."""

    async def delete(self, channel_id: str, message_id: str) -> None:
        """Take a message of ours away."""

    async def messages(self, channel_id: str) -> Sequence[Mapping[str, Any]]:
        """The newest messages of a channel; none also where we may not read what was said."""


class Pace(NamedTuple):
    """Seconds, but for `writes`."""

    writes: int = 5
    within: float = 5.0
    """Posts and edits a channel gets in that time; Discord takes so many."""
    first_pause: float = 1.0
    longest_pause: float = 30.0
    """Between attempts while Discord is down."""
    look: float = 60.0
    answers: float = 1.0
    """Between two looks at which answers are to be taken back, however much is written meanwhile."""


USUAL = Pace()


class Paused(Exception):
    """The channel cannot be posted to; a moderator is told."""


class Sender:
    """Does what a step says. Raises ProviderError for what may work later, and Paused for what will not."""

    def __init__(self, services: Services, api: Api, pace: Pace, discord_channel: str) -> None:
        self._services, self._api, self._pace, self._channel = services, api, pace, discord_channel
        self._written: deque[float] = deque(maxlen=pace.writes)
        self._answered: set[int] = set()
        """Posts of which every attempt got an answer, so that none of them stands."""

    def digest(self, body: Body) -> str:
        """What a post says, for comparing: keyed, so that no words can be guessed from it."""
        said = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        return hmac.new(self._services.keys.derive(PURPOSE), said, hashlib.sha256).hexdigest()[:32]

    async def make(self, session_id: str, step: Step, body: Body, is_outdated: Callable[[], bool]) -> None:
        """Post something new, unless it is outdated when its turn has come."""
        await self._turn()
        if is_outdated():
            return
        now = self._services.clock()

        async def intend(transaction: Transaction) -> Post:
            return await posts.intend(transaction, self._channel, session_id, step.kind, step.low, step.high, now)

        post = await self._services.store.run(intend, message=None, now=now)
        self._answered.add(post.id)
        message_id = await self._send(post, body)
        if message_id:
            await self._keep(post._replace(message_id=message_id, digest=self.digest(body), state=State.POSTED))

    async def _send(self, post: Post, body: Body) -> str:
        """Post it; the message's id, or nothing when Discord never will take it."""
        try:
            sent = {**self._linked(post, body), "nonce": post.nonce, "enforce_nonce": True}
            return await self._api.post(self._channel, sent)
        except ProviderRefused as error:
            if post.id in self._answered:
                if error.code not in _WHY and error.status not in {403, 404}:
                    await self._leave_out(post, error)
                    return ""
                await self._drop(post)
            raise
        except ProviderError as error:
            if not isinstance(error, ProviderBusy | ProviderDown) or (
                isinstance(error, ProviderDown) and error.unanswered
            ):
                self._answered.discard(post.id)
            raise

    def _linked(self, post: Post, body: Body) -> Body:
        """The head leads to the session's page, by an address that names the post: so it is found again."""
        url = self._services.link(f"/s/{post.session_id}#{post.nonce}")
        return {**body, "embeds": [{**embed, "url": url} for embed in body["embeds"]]}

    async def _leave_out(self, post: Post, error: ProviderRefused) -> None:
        _log.error("Discord did not take a post", channel=self._channel, error=str(error))
        await self._keep(post._replace(state=State.GONE))
        await self._write(lambda transaction: feeds.warn(transaction, self._channel, _NOT_TAKEN))

    async def settle(self, post: Post, body: Body | None) -> bool:
        """Bring a post up to date of which Discord said nothing; False when it turns out not to stand."""
        if self._services.clock() - post.sent_at <= NONCE_HOLDS:
            await self._turn()
            message_id = await self._send(post, body or text_body("…"))
        elif post.id in self._answered:
            message_id = ""
        else:
            found = await self._look()
            if found is None:
                await self._not_sure(post)
                return True
            message_id = next((str(each["id"]) for each in found if _is(each, post)), "")
        if not message_id:
            await self._drop(post)
            return False
        posted = post._replace(message_id=message_id, state=State.POSTED)
        await self._keep(posted)
        await (self.delete(posted) if body is None else self.edit(posted, body))
        return True

    async def _look(self) -> Sequence[Mapping[str, Any]] | None:
        """The channel's newest messages; None where they cannot be read."""
        try:
            return await self._api.messages(self._channel) or None
        except ProviderRefused:
            return None

    async def _not_sure(self, post: Post) -> None:
        _log.warning("whether a post stands is not known; it is left out", channel=self._channel, post=post.id)
        await self._keep(post._replace(state=State.GONE))
        await self._write(lambda transaction: feeds.warn(transaction, self._channel, _NOT_SURE))

    async def edit(self, post: Post, body: Body) -> None:
        """Let a post say this; one that somebody deleted stays so."""
        digest = self.digest(body)
        if digest != post.digest:
            await self._turn()
            try:
                await self._api.edit(self._channel, post.message_id, self._linked(post, body))
            except ProviderRefused as error:
                if error.code == _UNKNOWN_MESSAGE:
                    return await self._keep(post._replace(state=State.GONE, digest=""))
                if error.code in _WHY or error.status in {403, 404}:
                    raise
                _log.error("Discord did not change a post", channel=self._channel, error=str(error))
        return await self._keep(post._replace(digest=digest))

    async def delete(self, post: Post) -> None:
        """Take a post away; it is known until Discord has said that it is gone."""
        if post.state is State.POSTED:
            try:
                await self._api.delete(self._channel, post.message_id)
            except ProviderRefused as error:
                if error.code not in {_UNKNOWN_MESSAGE, _UNKNOWN_CHANNEL}:
                    raise
        await self._drop(post)

    async def take_back(self, message_id: str) -> None:
        """Delete an answer; it is known until Discord has said that it is gone."""
        try:
            await self._api.delete(self._channel, message_id)
        except ProviderRefused as error:
            if error.code not in {_UNKNOWN_MESSAGE, _UNKNOWN_CHANNEL}:
                raise
        await self._write(lambda transaction: answers.drop(transaction, message_id))

    async def put_off(self, error: ProviderRefused) -> None:
        """Discord does not let us delete answers in the channel: it is tried again after an hour."""
        _log.warning("answers cannot be taken back for now", channel=self._channel, error=str(error))
        now = self._services.clock()
        await self._write(lambda transaction: answers.refused(transaction, self._channel, now))

    async def resume(self) -> None:
        """Note that Discord lets us post again."""
        await self._write(lambda transaction: feeds.resume(transaction, self._channel))

    async def pause(self, error: ProviderRefused) -> NoReturn:
        """Note that Discord does not let us post, for a moderator to be told; raises Paused."""
        why = _WHY.get(error.code, _WHY["50013"])
        _log.warning("a feed is paused", channel=self._channel, error=str(error))
        now = self._services.clock()
        await self._write(lambda transaction: feeds.pause(transaction, self._channel, why, now))
        raise Paused from error

    async def _drop(self, post: Post) -> None:
        self._answered.discard(post.id)
        await self._write(lambda transaction: posts.drop(transaction, post))

    async def _keep(self, post: Post) -> None:
        self._answered.discard(post.id)
        await self._write(lambda transaction: posts.keep(transaction, post))

    async def _write(self, job: Callable[[Transaction], Any]) -> None:
        await self._services.store.run(job, message=None, now=self._services.clock())

    async def _turn(self) -> None:
        """Wait until the channel may be written to again."""
        clock = asyncio.get_running_loop().time
        if len(self._written) == self._pace.writes:
            await asyncio.sleep(max(0.0, self._written[0] + self._pace.within - clock()))
        self._written.append(clock())


def _is(message: Mapping[str, Any], post: Post) -> bool:
    """Whether a message on Discord is this post: by its nonce, which Discord need not tell, or by its head's link."""
    embeds = message.get("embeds")
    links = [embed.get("url") for embed in embeds if isinstance(embed, Mapping)] if isinstance(embeds, list) else []
    return message.get("nonce") == post.nonce or any(str(link).endswith(f"#{post.nonce}") for link in links)
