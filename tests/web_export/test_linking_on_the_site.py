"""Two logins in one browser are one person's accounts; and the way back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from commands import upkeep
from commands.authority import role_of
from commands.dispatch import Dispatcher
from commands.model import Heard, Platform
from moments.live import Author, Place
from moments.people import Role
from storage import Transaction, linking, web_sessions
from tests.fake_discord.people import FakeUser as DiscordUser
from tests.fake_discord.server import FakeDiscord
from tests.fake_twitch.people import FakeUser
from tests.twitch_site import Somebody, Town, dump, open_town, rows
from web_export.visitors import viewer

ROOM = Place("twitch", "77", "Owl")


@dataclass
class Home:
    """A site with both logins, and somebody who is logged in with Twitch."""

    town: Town
    discord: FakeDiscord
    browser: Somebody
    ann: FakeUser
    sable: DiscordUser

    async def linked(self, platform: str = "twitch") -> list[tuple[str, str]]:
        user = self.ann.id if platform == "twitch" else self.sable.id
        return [each.account[:2] for each in await linking.others(self.town.services.store, platform, user)]

    async def says(self, text: str, author: Author, role: Role = Role.VIEWER) -> None:
        heard = Heard(Platform(author.platform), ROOM, author, role, text, self.town.watch.now)
        await Dispatcher(self.town.services).hear(heard)
        self.town.passes(minutes=1)

    async def link_by_code(self) -> None:
        """What a code and its confirmation do."""
        ann, sable = Author("twitch", self.ann.id, "Ann"), Author("discord", self.sable.id, "Sable")
        now = self.town.watch.now

        async def job(transaction: Transaction) -> None:
            await linking.join(transaction, ann, sable, now, settled=False)

        await self.town.services.store.run(job, message=None, now=now)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with FakeDiscord() as discord, open_town(tmp_path, discord=discord) as town:
        ann, sable, browser = (
            town.twitch.user("ann", "Ann"),
            discord.user("sable", global_name="Sable"),
            town.somebody(),
        )
        await browser.log_in(ann)
        yield Home(town, discord, browser, ann, sable)


async def test_AZ_5_two_logins_in_one_browser_are_one_person_at_once(home: Home) -> None:
    page = (await home.browser.get("/me")).text
    assert "Link Discord</button>" in page
    assert "Link Twitch" not in page
    back = await home.browser.link(home.sable, "discord")
    assert (back.status, back.location) == (303, "/me?said=linked")
    page = (await home.browser.get(back.location)).text
    assert "Your accounts are linked: you count as one person." in page
    assert "<bdi>Sable</bdi> · linked since" in page
    assert "no more; then each" not in page  # settled at once
    assert "Link Discord</button>" not in page
    assert await home.linked() == [("discord", home.sable.id)]
    assert home.discord.oauth.tokens == []
    assert rows(home.town.path, "web_session")[0][2:4] == ("twitch", home.ann.id)


async def test_it_works_from_discord_to_twitch_too_and_twitch_is_asked_for_nothing_more(home: Home) -> None:
    browser = home.town.somebody()
    await browser.log_in(home.sable, "/login/discord")
    assert (await browser.link(home.ann, "twitch")).location == "/me?said=linked"
    asked = home.town.twitch.asked[-1]
    assert (asked.scopes, asked.force_verify) == (frozenset({"openid"}), True)
    assert await home.linked("discord") == [("twitch", home.ann.id)]
    revoked = [request for request in home.town.twitch.requests if request.path == "/oauth2/revoke"]
    assert home.town.twitch.tokens.find(revoked[-1].form["token"]) is None


async def test_AUTH_7_linking_and_unlinking_make_a_new_session_and_the_old_one_is_dead(home: Home) -> None:
    before = home.town.somebody()
    before.cookies = dict(home.browser.cookies)
    for step in ("link", "unlink"):
        if step == "link":
            await home.browser.link(home.sable, "discord")
        else:
            answer = await home.browser.press("/me/unlink", platform="discord")
            assert answer.location == "/me?said=unlinked"
        assert "Log in with Twitch" in (await before.get("/me")).text
        assert "<bdi>Ann</bdi>" in (await home.browser.get("/me")).text
        assert len(rows(home.town.path, "web_session")) == 1
        before.cookies = dict(home.browser.cookies)


@pytest.mark.parametrize("kind", ["login's", "other browser", "logged out", "logged in anew", "twice", "expired"])
async def test_AUTH_1_AUTH_3_only_the_login_that_left_comes_back_and_once(home: Home, kind: str) -> None:
    browser = home.browser
    back = await browser.agree(await browser.leave("/me/link/discord", pressing=True), home.sable)
    match kind:
        case "login's":
            back = await browser.agree(await browser.leave("/login/discord"), home.sable)
            back = back.replace("/login/discord/", "/me/link/discord/")
        case "other browser":
            browser = home.town.somebody()
            await browser.log_in(home.town.twitch.user("mallory"))
        case "logged out":
            await browser.press("/logout", on="/logout")
        case "logged in anew":
            await browser.log_in(home.town.twitch.user("mallory"))
        case "twice":
            assert (await browser.get(back)).status == 303
        case "expired":
            home.town.passes(minutes=10)
    kept = dump(home.town.path)
    answer = await browser.get(back)
    assert answer.status == 400
    assert "Nothing was changed; please start it again." in answer.text
    assert dump(home.town.path) == kept
    assert home.discord.oauth.tokens == []
    assert await home.linked() == ([("discord", home.sable.id)] if kind == "twice" else [])


async def test_AUTH_3_linking_has_a_redirect_uri_of_its_own(home: Home) -> None:
    await home.browser.link(home.sable, "discord")
    assert home.discord.oauth.asked[-1].redirect_uri == f"{home.town.services.public_url}/me/link/discord/callback"


async def test_AUTH_6_no_other_site_begins_a_link_or_an_unlink(home: Home) -> None:
    await home.link_by_code()
    for path in ("/me/link/discord", "/me/unlink"):
        data = {"platform": "discord"}
        answer = await home.browser.ask("POST", path, data=data, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 403
        assert (await home.browser.get(path)).status in {404, 405}
    assert len(await home.linked()) == 1


async def test_AUTH_11_who_says_no_is_told_so_in_our_words(home: Home) -> None:
    back = await home.browser.agree(await home.browser.leave("/me/link/discord", pressing=True), None)
    answer = await home.browser.get(back + "&error_description=CANARY")
    assert answer.location == "/me?said=not-linked"
    page = (await home.browser.get(answer.location)).text
    assert "The other account was not linked. Nothing was changed." in page
    assert "CANARY" not in page


async def test_VOTE_3_the_rules_hold_on_the_site_too(home: Home) -> None:
    await home.browser.link(home.sable, "discord")
    other = home.town.somebody()
    await other.log_in(home.town.twitch.user("ben", "Ben"))
    refused = await other.link(home.sable, "discord")
    assert refused.status == 409
    assert "A person has one account on each platform" in refused.text
    second = await home.browser.link(home.discord.user("second"), "discord")
    assert second.status == 409
    assert (await home.browser.link(home.ann, "twitch")).status == 409  # with itself
    await home.browser.press("/me/unlink", platform="discord")
    await home.browser.link(home.sable, "discord")
    await home.browser.press("/me/unlink", platform="discord")
    answer = await home.browser.link(home.sable, "discord")
    assert answer.status == 409
    assert "3 times in the last 30 days" in answer.text
    assert await home.linked() == []
    assert home.discord.oauth.tokens == []


async def test_what_both_accounts_left_is_on_the_page_of_each_and_goes_apart_again(home: Home) -> None:
    ann, sable = Author("twitch", home.ann.id, "Ann"), Author("discord", home.sable.id, "Sable")
    await home.says("!start", Author("twitch", "77", "Owl"), Role.BROADCASTER)
    await home.says("!clip from twitch", ann)
    await home.says("!clip from discord", sable)
    await home.browser.link(home.sable, "discord")
    page = (await home.browser.get("/me")).text
    assert "2 marks" in page
    assert "from discord" in page
    assert "That reaches your Discord account" in (await home.browser.get("/me/delete")).text
    await home.browser.press("/me/unlink", platform="discord")
    page = (await home.browser.get("/me")).text
    assert "1 mark<" in page
    assert "from discord" not in page


async def test_AZ_5_a_link_by_code_shows_and_deletes_nothing_of_the_other_for_seven_days(home: Home) -> None:
    sable = Author("discord", home.sable.id, "Sable")
    await home.says("!start", Author("twitch", "77", "Owl"), Role.BROADCASTER)
    await home.says("!clip from discord", sable)
    await home.link_by_code()
    page = (await home.browser.get("/me")).text
    assert "from discord" not in page
    assert "it counts with this one and no more" in page
    assert "it stays, with what was made with it." in (await home.browser.get("/me/delete")).text
    home.town.watch.now += timedelta(days=7)
    await upkeep.clean(home.town.services)
    page = (await home.browser.get("/me")).text
    assert "from discord" in page
    assert "no more; then each" not in page


async def test_AZ_5_logging_in_with_both_confirms_at_once_what_a_code_has_linked(home: Home) -> None:
    await home.says("!start", Author("twitch", "77", "Owl"), Role.BROADCASTER)
    await home.says("!clip from discord", Author("discord", home.sable.id, "Sable"))
    await home.link_by_code()
    assert ">Confirm<" in (await home.browser.get("/me")).text
    other = await home.browser.link(home.discord.user("another"), "discord")
    assert other.status == 409  # not the one that is linked
    assert "from discord" not in (await home.browser.get("/me")).text
    assert (await home.browser.link(home.sable, "discord")).location == "/me?said=linked"
    page = (await home.browser.get("/me")).text
    assert "from discord" in page
    assert ">Confirm<" not in page


async def test_AZ_5_deleting_everything_leaves_an_account_linked_by_code_lately_as_it_is(home: Home) -> None:
    sable = Author("discord", home.sable.id, "Sable")
    await home.says("!start", Author("twitch", "77", "Owl"), Role.BROADCASTER)
    await home.says("!clip from discord", sable)
    await home.link_by_code()
    await home.browser.press("/me/delete", on="/me/delete")
    assert [row[9] for row in rows(home.town.path, "mark")] == ["from discord"]
    assert await home.linked("discord") == []


async def test_AZ_5_web_confirmed_accounts_are_forgotten_together_and_so_are_their_logins(home: Home) -> None:
    phone = home.town.somebody()
    await phone.log_in(home.sable, "/login/discord")
    await home.browser.link(home.sable, "discord")
    await home.browser.press("/me/delete", on="/me/delete")
    assert "Log in with Discord" in (await phone.get("/me")).text
    for table in ("account", "account_link", "web_session"):
        assert rows(home.town.path, table) == []


async def test_VOTE_3_the_other_side_reads_what_was_done_to_it_and_undoes_it(home: Home) -> None:
    phone = home.town.somebody()
    await phone.log_in(home.sable, "/login/discord")
    await home.browser.link(home.sable, "discord")
    page = (await phone.get("/me")).text
    assert "linked by the Twitch account <bdi>Ann</bdi> as one person with it. Not you? Unlink it." in page
    assert (await phone.press("/me/unlink", platform="twitch")).location == "/me?said=unlinked"
    assert "unlinked by the Discord account <bdi>Sable</bdi>" in (await home.browser.get("/me")).text
    assert (await phone.press("/me/unlink", platform="twitch")).location == "/me?said=not-together"
    assert "linked by the Twitch account" not in (await phone.get("/me")).text  # nothing is linked any more


async def test_AZ_5_a_login_with_the_linked_account_has_none_of_the_others_powers(home: Home) -> None:
    streamer = home.town.somebody()
    await streamer.connect(home.ann)
    await streamer.link(home.sable, "discord")
    phone = home.town.somebody()
    await phone.log_in(home.sable, "/login/discord")
    page = (await phone.get("/me")).text
    assert "Log in with Twitch to look after your channel." in page
    assert "<bdi>Ann</bdi>" in page
    assert (await phone.press("/me/disconnect")).status == 404
    services = home.town.services
    channel = await services.store.channel("twitch", home.ann.id)
    (session,) = await web_sessions.of_account(services.store, "discord", home.sable.id)
    assert channel is not None
    assert await role_of(services, viewer(session), channel, act=False) is Role.VIEWER
    (session, *_) = await web_sessions.of_account(services.store, "twitch", home.ann.id)
    assert await role_of(services, viewer(session), channel, act=False) is Role.BROADCASTER


async def test_twenty_links_at_once_are_one(home: Home) -> None:
    back = await home.browser.agree(await home.browser.leave("/me/link/discord", pressing=True), home.sable)
    answers = await asyncio.gather(*(home.browser.get(back) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [303] + [400] * 19
    assert len(rows(home.town.path, "link_change")) == 1
