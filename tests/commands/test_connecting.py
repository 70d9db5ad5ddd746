"""What connects a channel, what ends that again, and who may do what in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commands import connecting
from commands.authority import Viewer, role_of
from commands.forgetme import forget
from commands.model import Heard, Invocation, Platform
from commands.registry import COMMANDS
from commands.upkeep import clean
from moments.errors import NotAllowed, ProviderDown
from moments.grants import Grant
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Channel, started
from providers.twitch import oauth
from storage import Transaction, credentials
from storage._sqlite import to_microseconds
from storage.connections import State
from storage.credentials import Vault
from tests.databases import change
from tests.fake_twitch.people import FakeUser
from tests.twitch_site import Town, open_town, rows

TAKEN_BACK = "authorization_revoked"
"""How Twitch says so."""


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
    await connecting.revoked(town.services, user.id, TAKEN_BACK, town.watch.now)
    assert await grant_of(town, user) is None
    assert await state(town, user) is State.NEEDS_AUTHORISATION
    assert rows(town.path, "web_session") == []
    assert (await channel_of(town, user)).login == ""


async def test_giving_back_a_logins_token_is_no_revocation(town: Town) -> None:
    """Twitch may tell of it in the same words; whether the streamer's own grant still works says which it was."""
    user, phone = await connected(town, "one"), town.somebody()
    await phone.log_in(user)
    for _ in range(2):
        await connecting.revoked(town.services, user.id, TAKEN_BACK, town.watch.now)
        assert await state(town, user) is State.CONNECTED
        assert await grant_of(town, user)
        town.passes(hours=5)  # the access token is over by then, the grant is not
    assert len(rows(town.path, "web_session")) == 1
    viewer = town.somebody()
    await viewer.log_in(town.twitch.user("viewer"))
    await connecting.revoked(town.services, town.twitch.user("viewer").id, TAKEN_BACK, town.watch.now)
    assert len(rows(town.path, "web_session")) == 2


async def test_a_revocation_believed_while_twitch_is_away_is_one_that_says_it_was_taken_back(town: Town) -> None:
    user, gone = await connected(town, "one"), await connected(town, "two")
    town.twitch.faults.add("GET", "/oauth2/validate", status=503, times=None)
    for status in ("chat_user_banned", "moderator_removed", "version_removed", "notification_failures_exceeded"):
        await connecting.revoked(town.services, user.id, status, town.watch.now)
        assert await grant_of(town, user)
        assert await state(town, user) is State.CONNECTED
    for status, other in (("authorization_revoked", user), ("user_removed", gone)):
        await connecting.revoked(town.services, other.id, status, town.watch.now)
        assert await grant_of(town, other) is None
        assert await state(town, other) is State.NEEDS_AUTHORISATION


async def test_a_ban_of_the_bot_says_nothing_of_a_grant_that_cannot_be_asked_about(town: Town) -> None:
    user = await connected(town, "one")
    change(town.path, "UPDATE credential SET state = 'dead'")
    await connecting.revoked(town.services, user.id, "chat_user_banned", town.watch.now)
    assert len(rows(town.path, "credential")) == 1
    await connecting.revoked(town.services, user.id, TAKEN_BACK, town.watch.now)
    assert rows(town.path, "credential") == []


async def test_AUTH_10_whatever_status_says_so_a_grant_that_twitch_no_longer_knows_goes(town: Town) -> None:
    user = await connected(town, "one")
    town.twitch.tokens.end_grants(user)
    await connecting.revoked(town.services, user.id, "version_removed", town.watch.now)
    assert rows(town.path, "credential") == []
    assert await state(town, user) is State.NEEDS_AUTHORISATION


async def test_who_connects_while_a_revocation_is_looked_into_keeps_what_they_granted(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await connected(town, "one")
    town.twitch.tokens.end_grants(user)
    validate = town.api.oauth.validate

    async def slow(token: str) -> object:
        said = await validate(token)
        await connected(town, "one")
        return said

    monkeypatch.setattr(town.api.oauth, "validate", slow)
    await connecting.revoked(town.services, user.id, TAKEN_BACK, town.watch.now)
    monkeypatch.undo()
    kept = await grant_of(town, user)
    assert kept is not None
    assert await town.api.oauth.validate(kept.access_token) is not None
    assert await state(town, user) is State.CONNECTED


async def test_who_connects_while_a_revocation_cannot_be_looked_into_keeps_what_they_granted(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await connected(town, "one")

    async def slow(_token: str) -> object:
        await connected(town, "one")
        raise ProviderDown("GET /oauth2/validate: 503")

    monkeypatch.setattr(town.api.oauth, "validate", slow)
    await connecting.revoked(town.services, user.id, TAKEN_BACK, town.watch.now)
    assert await grant_of(town, user)
    assert await state(town, user) is State.CONNECTED


async def test_who_was_refused_for_a_while_need_not_connect_again_when_their_grant_works(town: Town) -> None:
    fine, dead, taken, left = [await connected(town, name) for name in ("fine", "dead", "taken", "left")]
    for user in (fine, dead, taken):
        await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    change(town.path, f"UPDATE credential SET state = 'dead' WHERE user_id = '{dead.id}'")  # noqa: S608 -- a number
    change(town.path, f"DELETE FROM credential WHERE user_id = '{taken.id}'")  # noqa: S608 -- a number
    await connecting.disconnect(town.services, left.id, one_of(left), town.watch.now)
    everybody = [user.id for user in (fine, dead, taken, left)]
    await connecting.granted_again(town.services, everybody, town.watch.now)
    assert [await state(town, user) for user in (fine, dead, taken, left)] == [
        State.CONNECTED,
        State.NEEDS_AUTHORISATION,
        State.NEEDS_AUTHORISATION,
        State.DISCONNECTED,
    ]


async def test_who_disconnected_stays_so_whatever_twitch_says_afterwards(town: Town) -> None:
    user = await connected(town, "one")
    assert await connecting.disconnect(town.services, user.id, one_of(user), town.watch.now)
    await connecting.revoked(town.services, user.id, TAKEN_BACK, town.watch.now)
    await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    assert await state(town, user) is State.DISCONNECTED
    assert await connecting.disconnect(town.services, user.id, one_of(user), town.watch.now)
    assert [row[6] for row in rows(town.path, "audit")] == ["connect", "disconnect"]


async def learned(town: Town, user: FakeUser) -> None:
    """What Twitch told of a channel lately, kept in each place there is for it."""
    at = to_microseconds(town.watch.now)
    place, until = Place("twitch", user.id, user.login), at + 10**10

    async def job(transaction: Transaction) -> None:
        live = await transaction.live(place)
        await transaction.save_session(
            place, started(live.session, live.channel, "", "", town.watch.now, "s" + user.id)
        )
        await transaction.execute("INSERT INTO api_stream SELECT id, 'twitch', 'T', 'G', ?, ? FROM session", at, until)
        await transaction.execute(
            "INSERT INTO api_archive SELECT 'twitch', '1', id, 's', 'T', 0, 60, '[]', ?, ? FROM channel"
            " WHERE platform_id = ?",
            *(at, until, user.id),
        )

    await town.services.store.run(job, message=None, now=town.watch.now)


async def test_PRIV_6_of_a_forgotten_streamer_nothing_is_left_that_twitch_told(town: Town) -> None:
    user = await connected(town, "one")
    await learned(town, user)
    await forget(town.services, one_of(user), town.watch.now)
    assert rows(town.path, "api_stream") + rows(town.path, "api_archive") == []
    assert (await channel_of(town, user)).login == ""
    assert rows(town.path, "credential") == []
    assert await state(town, user) is State.DISCONNECTED
    assert [request.path for request in town.twitch.requests] == ["/oauth2/revoke"]


async def test_PRIV_6_a_token_nobody_needed_is_given_back(town: Town) -> None:
    user = await connected(town, "one")
    grant = await grant_of(town, user)
    assert grant is not None
    town.passes(days=91)
    assert (await clean(town.services)).grants == 1
    given = [request.form["token"] for request in town.twitch.requests if request.path == "/oauth2/revoke"]
    assert given == [grant.access_token]
    assert (await clean(town.services)).grants == 0
    assert len(town.twitch.requests) == 1


async def test_AZ_8_PRIV_4_no_act_names_a_forgotten_moderator(town: Town) -> None:
    rosa, ben = await connected(town, "rosa"), town.twitch.user("ben")
    by = Heard(Platform("twitch"), Place("twitch", rosa.id, "Rosa"), one_of(rosa), Role.BROADCASTER, "", town.watch.now)
    for word in ("moderator ben", "unmoderator ben", "moderator ben"):
        await COMMANDS["setup"].run(Invocation(town.services, by, town.watch.now), word)
    acts = [row[6:] for row in rows(town.path, "audit")][1:]
    assert acts == [("setup", f"twitch:{ben.id}", "", made) for made in ("named", "unnamed", "named")]
    await forget(town.services, one_of(ben), town.watch.now)
    assert ben.id not in str(rows(town.path, "audit"))
    assert rows(town.path, "named_moderator") == []


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
