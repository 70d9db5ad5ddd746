"""Which EventSub subscriptions exist, what their conditions need, and who may make them."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.fake_twitch.tokens import Token, Tokens
from tests.fake_twitch.world import ApiError, World

Condition = dict[str, str]
UNAUTHORISED = "subscription missing proper authorization"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who may do what, as far as a rule needs to know."""

    world: World
    tokens: Tokens

    def reads_chat(self, condition: Condition, token: Token | None) -> bool:
        """With an app token (None) the reader grants user:bot too, and the channel channel:bot or moderator status."""
        channel, reader = condition["broadcaster_user_id"], condition["user_id"]
        if token is not None:
            return token.user_id == reader and "user:read:chat" in token.scopes
        invited = self.tokens.granted(channel, "channel:bot") or self.world.people.is_moderator(channel, reader)
        return self.tokens.granted(reader, "user:read:chat", "user:bot") and invited

    def moderates(self, scope: str) -> Callable[[Condition, Token | None], bool]:
        """A moderator of the channel, or the broadcaster, with this scope."""

        def rule(condition: Condition, token: Token | None) -> bool:
            channel = condition["broadcaster_user_id"]
            person = condition.get("moderator_user_id", channel)
            mine = token is None or token.user_id == person
            return mine and self.world.people.is_moderator(channel, person) and self.tokens.granted(person, scope)

        return rule


def anybody(condition: Condition, token: Token | None) -> bool:
    """Public facts."""
    return True


@dataclass(frozen=True, slots=True)
class Kind:
    """A subscription type and version."""

    needs: tuple[str, ...]
    allowed: Callable[[Condition, Token | None], bool]
    either: bool = False

    def check(self, condition: Condition, token: Token | None, world: World) -> None:
        """Raises what Twitch answers: 400 for a wrong condition, 403 without the right."""
        given = {name for name, value in condition.items() if value}
        if not (given & set(self.needs) if self.either else set(self.needs) <= given):
            raise ApiError(400, "The condition object is missing one or more required fields")
        people = [condition[name] for name in given if name.endswith("user_id")]
        if not all(world.people.by_id(user_id) for user_id in people):
            raise ApiError(400, "The user specified in the condition object does not exist")
        if condition.get("client_id", world.client_id) != world.client_id or not self.allowed(condition, token):
            raise ApiError(403, UNAUTHORISED)


def kinds(world: World, tokens: Tokens) -> dict[tuple[str, str], Kind]:
    """All that this Twitch offers."""
    asker = Asker(world, tokens)
    channel, both, client = ("broadcaster_user_id",), ("broadcaster_user_id", "user_id"), ("client_id",)
    chat = Kind(both, asker.reads_chat)
    ends = ("from_broadcaster_user_id", "to_broadcaster_user_id")
    judge = ("broadcaster_user_id", "moderator_user_id")
    return {
        ("channel.chat.message", "1"): chat,
        ("channel.chat.message_delete", "1"): chat,
        ("channel.chat.clear_user_messages", "1"): chat,
        ("channel.chat.clear", "1"): chat,
        ("channel.chat.notification", "1"): chat,
        ("stream.online", "1"): Kind(channel, anybody),
        ("stream.offline", "1"): Kind(channel, anybody),
        ("channel.update", "2"): Kind(channel, anybody),
        ("channel.raid", "1"): Kind(ends, anybody, either=True),
        ("user.update", "1"): Kind(("user_id",), anybody),
        ("user.authorization.grant", "1"): Kind(client, anybody),
        ("user.authorization.revoke", "1"): Kind(client, anybody),
        ("conduit.shard.disabled", "1"): Kind(client, anybody),
        ("channel.ban", "1"): Kind(channel, asker.moderates("channel:moderate")),
        ("channel.unban", "1"): Kind(channel, asker.moderates("channel:moderate")),
        ("channel.moderate", "2"): Kind(judge, asker.moderates("moderator:read:chat_messages")),
        ("channel.moderator.add", "1"): Kind(channel, asker.moderates("moderation:read")),
        ("channel.moderator.remove", "1"): Kind(channel, asker.moderates("moderation:read")),
    }
