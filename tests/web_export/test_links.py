"""Signed links on the site: an empty page, a button, and a cookie that opens one session for a while."""

import re
import string
from collections.abc import AsyncIterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from commands import private_links
from commands.private_links import Link, Purpose
from moments.live import Author
from storage import Transaction
from storage.keys import SecretKeys
from tests.private_town import PrivateTown, open_private_town, press
from tests.twitch_site import Somebody, dump, rows
from web_export.limits import LimitRates, Limits, Rate, TooMany
from web_export.links import MOST_OPEN

LETTERS = string.ascii_letters + string.digits + "-_"
HIDDEN = re.compile("secret|rehearsal|hollow|nightowl|what ann saw|3 marks", re.IGNORECASE)


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[PrivateTown]:
    async with open_private_town(tmp_path) as there:
        yield there


async def made(there: PrivateTown, file: str = "", by: Author | None = None) -> str:
    """The path of a link, whoever gives it."""
    session, now, keys = await there.session(), there.town.watch.now, there.town.services.keys
    author = by or Author(*there.place)

    async def job(transaction: Transaction) -> str:
        return await private_links.issue(transaction, keys, session, author, now, file=file)

    return await there.town.services.store.run(job, message=None, now=now)


async def opened(there: PrivateTown, link: str) -> Somebody:
    """A browser, logged in nowhere, in which the link's button was pressed."""
    somebody = there.anybody()
    answer = await press(somebody, link)
    assert answer.status == 303, answer.text
    return somebody


async def test_a_link_opens_its_session_in_one_browser(there: PrivateTown) -> None:
    link, page = await there.link(), await there.path()
    somebody = there.anybody()
    assert (await somebody.get(page)).status == 404
    answer = await press(somebody, link)
    assert (answer.status, answer.location) == (303, page)
    assert "what ann saw" in (await somebody.get(page)).text
    for rest in ("/export.csv", "/export.json", "?before=1.9.9"):
        assert (await somebody.get(page + rest)).status == 200
    assert (await somebody.ask("HEAD", f"{page}/events")).status == 200
    assert (await there.anybody().get(page)).status == 404
    assert (await somebody.get(f"/c/twitch/{there.owner.login}")).status == 404


async def test_LINK_2_a_link_to_one_download_opens_nothing_else(there: PrivateTown) -> None:
    page, link = await there.path(), await made(there, "csv")
    somebody = there.anybody()
    assert (await press(somebody, link)).location == f"{page}/export.csv"
    assert "what ann saw" in (await somebody.get(f"{page}/export.csv")).text
    for rest in ("", "/export.json", "/export.excel.csv", "?before=1.9.9"):
        assert (await somebody.get(page + rest)).status == 404, rest
    assert (await somebody.ask("HEAD", f"{page}/events")).status == 404
    assert (await somebody.get(f"/api/v1{page.replace('/s/', '/sessions/')}/timestamps")).status == 404


async def test_LINK_2_a_link_opens_no_other_session(there: PrivateTown) -> None:
    link, first = await there.link(), await there.path()
    await there.says("!end")
    await there.says("!start The next rehearsal")
    second = await there.path()
    somebody = await opened(there, link)
    assert first != second
    assert [(await somebody.get(page)).status for page in (first, second)] == [200, 404]


async def test_LINK_2_a_changed_or_foreign_link_opens_nothing(there: PrivateTown) -> None:
    link = await there.link()
    payload, signature = link.removeprefix("/link/").split(".")
    said = private_links.read(there.town.services.keys, link.removeprefix("/link/"))
    assert said
    stolen = SecretKeys(("another installation's secret, as long as it must be",))
    forged = [
        *(f"/link/{payload}.{signature[:-1]}{last}" for last in LETTERS if last != signature[-1]),
        f"/link/{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        f"/link/{payload[:-1]}{'A' if payload[-1] != 'A' else 'B'}.{signature}",
        f"/link/{private_links._signer(stolen, Purpose.VIEW).dumps(said)}",
    ]
    for word in forged:
        somebody = there.anybody()
        answer = await press(somebody, word)
        assert (answer.status, answer.cookies) == (403, [])
        somebody.cookies["moments-links"] = word.removeprefix("/link/")
        assert (await somebody.get(await there.path())).status == 404


async def test_LINK_2_one_purpose_is_not_taken_for_the_other(there: PrivateTown) -> None:
    """Whoever could have the one signed could not have it read as the other."""
    keys, session = there.town.services.keys, await there.session()
    until = int(there.town.watch.now.timestamp()) + 3600
    link = Link(Purpose.VIEW, session.id, session.channel.id, *there.place[:2], 0, until)
    token = private_links._signer(keys, Purpose.EXPORT).dumps(link)
    somebody = there.anybody()
    assert (await press(somebody, f"/link/{token}")).status == 403
    somebody.cookies["moments-links"] = token
    assert (await somebody.get(await there.path())).status == 404


async def test_LINK_2_a_link_and_what_it_opened_end_after_their_time(there: PrivateTown) -> None:
    day, week, page = await there.link("24"), await there.link("168"), await there.path()
    for link, hours in ((day, 24), (week, 6 * 24)):
        somebody = await opened(there, link)
        there.town.passes(hours=hours, seconds=-60)
        assert (await somebody.get(page)).status == 200
        there.town.passes(seconds=61)
        assert (await somebody.get(page)).status == 404
        assert (await press(somebody, link)).status == 403


async def test_LINK_2_links_made_with_an_older_key_still_open(there: PrivateTown) -> None:
    link = (await made(there)).removeprefix("/link/")
    services = there.town.services
    old = services.keys._secrets[0]
    rotated = SecretKeys(("a newer secret, also long enough to be one", old))
    assert (await private_links.redeem(replace(services, keys=rotated), link)).session_id
    without = SecretKeys(("a newer secret, also long enough to be one",))
    assert private_links.read(without, link) is None
    signer = private_links._signer(rotated, Purpose.VIEW)
    assert private_links.read(without, signer.dumps(private_links.read(rotated, link)))


async def test_LINK_2_links_are_signed_with_SHA_256(there: PrivateTown) -> None:
    signature = (await made(there)).rpartition(".")[2]
    assert len(signature) == 43  # 32 bytes; the 20 of SHA-1 are 27 letters


async def test_LINK_3_the_links_of_whoever_moderates_no_more_are_dead(there: PrivateTown) -> None:
    page = await there.path()
    await there.says(f"!setup moderator {there.other.login}")
    link = await made(there, by=Author("twitch", there.other.id, "Mallory"))
    somebody = await opened(there, link)
    assert (await somebody.get(page)).status == 200
    await there.says(f"!setup unmoderator {there.other.login}")
    assert (await somebody.get(page)).status == 404
    assert (await press(somebody, link)).status == 403
    await there.says(f"!setup moderator {there.other.login}")
    assert (await press(somebody, link)).status == 303


async def test_LINK_3_somebody_who_only_moderates_in_chat_gives_no_link(there: PrivateTown) -> None:
    link = await made(there, by=Author("twitch", there.moderator.id, "Sable"))
    assert (await press(there.anybody(), link)).status == 403


async def test_LINK_3_all_links_are_revoked_together_and_both_acts_are_noted(there: PrivateTown) -> None:
    page, link = await there.path(), await there.link()
    somebody = await opened(there, link)
    await there.says("!setup links revoke")
    assert (await somebody.get(page)).status == 404
    assert (await press(somebody, link)).status == 403
    assert (await (await opened(there, await there.link())).get(page)).status == 200
    acts = [(row[6], row[7]) for row in rows(there.town.path, "audit")]
    assert ("link", "view") in acts
    assert ("setup", "links") in acts
    assert link.removeprefix("/link/") not in "\n".join(dump(there.town.path))


async def test_LINK_4_the_page_has_nothing_of_the_session_and_opening_it_spends_nothing(there: PrivateTown) -> None:
    link, kept = await there.link(), dump(there.town.path)
    pages = [await there.anybody().get(link, **{"User-Agent": "Discordbot/2.0"}) for _ in range(5)]
    for page in pages:
        assert page.status == 200
        assert not HIDDEN.search(page.text)
        assert "og:" not in page.text
        assert page.text.count("<button") == page.text.count("<form") == 1
        assert not page.cookies
    assert dump(there.town.path) == kept
    assert (await press(there.anybody(), link)).status == 303


async def test_LINK_4_the_page_does_not_tell_whether_a_link_works(there: PrivateTown) -> None:
    link = await there.link()
    await there.says("!setup links revoke")
    wrong = f"/link/{'a' * 40}.{'b' * 43}"
    texts = {(await there.anybody().get(path)).text for path in (link, wrong, await there.link())}
    assert len(texts) == 1
    for path in ("/link/x", "/link/" + "a" * 84, "/link/" + "a" * 999 + "." + "b" * 43, "/link/../" + "a" * 40):
        assert (await there.anybody().get(path)).status == 404


async def test_LINK_5_nothing_keeps_or_repeats_a_link(there: PrivateTown) -> None:
    link, page = await there.link(), await there.path()
    token = link.removeprefix("/link/")
    somebody = there.anybody()
    answers = [await somebody.get(link), await press(somebody, link), await somebody.get(f"{page}/export.csv")]
    answers += [await press(there.anybody(), f"/link/{'a' * 40}.{'b' * 43}")]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert token not in answer.text


async def test_LINK_5_the_log_has_no_link_in_it(there: PrivateTown, capfd: pytest.CaptureFixture[str]) -> None:
    link = await there.link()
    await there.anybody().get(link + "?token=canary")
    await press(there.anybody(), link)
    said = "".join(capfd.readouterr())
    assert "route=/link/{token}" in said
    assert link.removeprefix("/link/") not in said
    assert "canary" not in said


async def test_the_cookie_is_for_this_site_alone(tmp_path: Path) -> None:
    async with open_private_town(tmp_path, public_url="https://moments.example") as there:
        (line,) = (await press(there.anybody(), await made(there))).cookies
        assert line.startswith("__Host-moments-links=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert "Domain" not in line


async def test_several_sessions_are_open_at_once_and_the_oldest_makes_room(there: PrivateTown) -> None:
    somebody, pages = there.anybody(), []
    for number in range(MOST_OPEN + 1):
        await there.says("!end")
        await there.says(f"!start Rehearsal {number}")
        pages.append(await there.path())
        link = await made(there)
        assert (await press(somebody, link)).status == 303
        assert (await press(somebody, link)).status == 303  # pressed twice it takes no second place
    statuses = [(await somebody.get(page)).status for page in pages]
    assert statuses == [404] + [200] * MOST_OPEN
    cookie: SimpleCookie = SimpleCookie()
    cookie["moments-links"] = somebody.cookies["moments-links"]
    assert len(cookie.output()) < 4096


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
async def test_another_site_presses_no_button_of_a_link(there: PrivateTown, headers: dict[str, str]) -> None:
    somebody = there.anybody()
    answer = await somebody.ask("POST", await there.link(), headers=headers)
    assert (answer.status, answer.cookies) == (403, [])


async def test_the_button_works_for_who_is_logged_in_and_for_who_was(there: PrivateTown) -> None:
    link, page = await there.link(), await there.path()
    for over in (False, True):
        if over:
            there.town.passes(days=31)
            link = await made(there)
        answer = await there.stranger.press(link, on=link)
        assert (answer.status, answer.location) == (303, page)


def test_every_page_of_a_link_is_behind_the_limit_of_pages() -> None:
    limits = Limits(LimitRates(pages=Rate(1, 60)))
    with limits.allow("/link/abc", "one"):
        pass
    with pytest.raises(TooMany), limits.allow("/link/abc", "one"):
        pass
