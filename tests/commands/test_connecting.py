"""What connects a channel, what ends that again, and who may do what in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commands import connecting
from commands.authority import Viewer, role_of
from moments.errors import NotAllowed
from moments.grants import Grant
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Channel
from providers.twitch import oauth
from storage import credentials
from storage.connections import State
from storage.credentials import Vault
from tests.databases import change
from tests.fake_twitch.people import FakeUser
from tests.twitch_site import Town, open_town, rows


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


async def connected(town: Town, login: str, *scopes: str) -> FakeUser:
    user = town.twitch.user(login)
    wanted = frozenset({"channel:bot", *scopes})
    token, refresh = town.twitch.mint(user, wanted)
    grant = Grant("twitch", user.id, login, token.value, refresh, wanted, token.expires_at)
    await connecting.connect(town.services, grant, login.title(), login, town.watch.now)
    return user


async def grant_of(town: Town, user: FakeUser) -> Grant | None:
    return await credentials.load(town.services.store, Vault(town.services.keys), "twitch", user.id)


async def state(town: Town, user: FakeUser) -> State:
    channel = await channel_of(town, user)
    return next(State(str(row[1])) for row in rows(town.path, "connection") if row[0] == channel.id)


async def channel_of(town: Town, user: FakeUser) -> Channel:
    channel = await town.services.store.channel("twitch", user.id)
    assert channel is not None
    return channel


def test_the_scopes_are_those_twitch_is_asked_for() -> None:
    assert connecting.BOT_SCOPES == oauth.BOT_SCOPES
    assert (connecting.SEAT, connecting.MARKERS, connecting.CLIPS) == (
        oauth.CONNECT_SCOPE, oauth.MARKERS_SCOPE, oauth.CLIPS_SCOPE
    )  # fmt: skip


async def test_channels_are_those_the_bot_should_be_in_with_what_each_granted(town: Town) -> None:
    one = await connected(town, "one", "channel:manage:clips")
    town.passes(seconds=1)
    two = await connected(town, "two")
    three = await connected(town, "three")
    await connecting.disconnect(town.services, three.id, one_of(three), town.watch.now)
    await connecting.needs_authorisation(town.services, two.id, town.watch.now)
    assert [(each.place, each.scopes, each.state) for each in await connecting.channels(town.services)] == [
        (Place("twitch", one.id, "One"), frozenset({"channel:bot", "channel:manage:clips"}), State.CONNECTED),
        (Place("twitch", two.id, "Two"), frozenset({"channel:bot"}), State.NEEDS_AUTHORISATION),
    ]


def one_of(user: FakeUser) -> Author:
    return Author("twitch", user.id, user.login)


async def test_a_dead_grant_is_noted_once_and_stops_nothing_else(town: Town) -> None:
    user = await connected(town, "one")
    other = await connected(town, "two")
    town.services.changed.clear()
    await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    assert town.services.changed.is_set()
    town.services.changed.clear()
    await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    assert not town.services.changed.is_set()
    assert (await state(town, user), await state(town, other)) == (State.NEEDS_AUTHORISATION, State.CONNECTED)
    assert await grant_of(town, other)


async def test_a_refusal_that_was_asked_for_before_a_streamer_connected_again_is_not_theirs(town: Town) -> None:
    asked = town.watch.now
    town.passes(seconds=1)
    user = await connected(town, "one")
    await connecting.needs_authorisation(town.services, user.id, town.watch.now, asked=asked)
    assert await state(town, user) is State.CONNECTED
    await connecting.needs_authorisation(town.services, user.id, town.watch.now, asked=town.watch.now)
    assert await state(town, user) is State.NEEDS_AUTHORISATION


async def test_AUTH_10_what_is_taken_back_on_twitch_ends_tokens_and_logins(town: Town) -> None:
    user, phone = await connected(town, "one"), town.somebody()
    await phone.log_in(town.twitch.user("one"))
    town.passes(minutes=3)
    town.twitch.tokens.end_grants(user)
    await connecting.revoked(town.services, user.id, town.watch.now)
    assert await grant_of(town, user) is None
    assert await state(town, user) is State.NEEDS_AUTHORISATION
    assert rows(town.path, "web_session") == []
    assert (await channel_of(town, user)).login == ""


async def test_giving_back_a_logins_token_is_no_revocation(town: Town) -> None:
    """Twitch may tell of it in the same words; whether the streamer's own grant still works says which it was."""
    user, phone = await connected(town, "one"), town.somebody()
    await phone.log_in(user)
    for _ in range(2):
        await connecting.revoked(town.services, user.id, town.watch.now)
        assert await state(town, user) is State.CONNECTED
        assert await grant_of(town, user)
        town.passes(hours=5)  # the access token is over by then, the grant is not
    assert len(rows(town.path, "web_session")) == 1
    viewer = town.somebody()
    await viewer.log_in(town.twitch.user("viewer"))
    await connecting.revoked(town.services, town.twitch.user("viewer").id, town.watch.now)
    assert len(rows(town.path, "web_session")) == 2


async def test_who_disconnected_stays_so_whatever_twitch_says_afterwards(town: Town) -> None:
    user = await connected(town, "one")
    assert await connecting.disconnect(town.services, user.id, one_of(user), town.watch.now)
    await connecting.revoked(town.services, user.id, town.watch.now)
    await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    assert await state(town, user) is State.DISCONNECTED
    assert await connecting.disconnect(town.services, user.id, one_of(user), town.watch.now)
    assert [row[6] for row in rows(town.path, "audit")] == ["connect", "disconnect"]


async def test_the_bots_code_is_kept_as_a_digest_and_good_once(town: Town) -> None:
    code = await connecting.bot_code(town.services)
    assert code not in str(rows(town.path, "fact"))
    digest = await connecting.check_bot_code(town.services, code)
    bot = town.twitch.user("moments_bot")
    token, refresh = town.twitch.mint(bot, connecting.BOT_SCOPES)
    grant = Grant("twitch", bot.id, bot.login, token.value, refresh, connecting.BOT_SCOPES, token.expires_at)
    await connecting.authorise_bot(town.services, grant, digest, town.watch.now)
    assert await connecting.bot_is_authorised(town.services)
    with pytest.raises(NotAllowed):
        await connecting.check_bot_code(town.services, code)
    with pytest.raises(NotAllowed):
        await connecting.authorise_bot(town.services, grant, digest, town.watch.now)


# -------------------------------------------------------------------------------------------- authority


async def test_AZ_3_authority_is_an_accounts_own_on_its_own_platform(town: Town) -> None:
    user = await connected(town, "one")
    channel, now = await channel_of(town, user), town.watch.now
    cases = [
        (None, Role.VIEWER),
        (Viewer("twitch", user.id, "any name"), Role.BROADCASTER),
        (Viewer("discord", user.id, "One"), Role.VIEWER),
        (Viewer("twitch", "9", "One"), Role.VIEWER),
        (Viewer("twitch", "9", "mod", frozenset({user.id}), now), Role.MODERATOR),
        (Viewer("twitch", "9", "mod", frozenset({"1"}), now), Role.VIEWER),
        (Viewer("twitch", "9", "mod", frozenset({user.id}), None), Role.VIEWER),
        (Viewer("discord", "9", "mod", frozenset({user.id}), now), Role.VIEWER),
    ]
    for viewer, role in cases:
        assert await role_of(town.services, viewer, channel, act=True) is role, viewer


async def test_AZ_3_a_named_moderator_is_one_by_id_until_taken_off_the_list(town: Town) -> None:
    user = await connected(town, "one")
    channel = await channel_of(town, user)
    change(town.path, f"INSERT INTO named_moderator VALUES ({channel.id}, 'twitch', '9', 'Mod', 0)")  # noqa: S608 -- a number
    for viewer, role in (
        (Viewer("twitch", "9", "Renamed"), Role.MODERATOR),
        (Viewer("twitch", "10", "Mod"), Role.VIEWER),
        (Viewer("discord", "9", "Mod"), Role.VIEWER),
    ):
        assert await role_of(town.services, viewer, channel, act=True) is role
    change(town.path, "DELETE FROM named_moderator")
    assert await role_of(town.services, Viewer("twitch", "9", "Mod"), channel, act=True) is Role.VIEWER
