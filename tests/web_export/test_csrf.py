"""No request changes anything unless it comes from a page of ours, for the login it was made for."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.twitch_site import Somebody, Town, dump, open_town

SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


def paths(town: Town, *, safe: bool) -> list[tuple[str, str]]:
    """(method, path) of every route, filled in with what is there or with an x."""
    known = {"platform": "twitch", "channel": "ann", "session": "latest"}
    return sorted(
        (route.method, re.sub(r"{(\w+)}", lambda found: known.get(found[1], "x"), route.resource.canonical))
        for route in town.site.app.router.routes()
        if route.resource and (route.method in {"GET", "HEAD"}) == safe
    )


async def token(somebody: Somebody) -> str:
    """Fetched as a page that is the same for everyone has to."""
    answer = await somebody.get("/session/csrf")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    return re.fullmatch(r'{"csrf":(?:null|"(\w+)")}', answer.text)[1] or ""  # type: ignore[index]


async def logged_in(town: Town, login: str) -> Somebody:
    somebody = town.somebody()
    await somebody.connect(town.twitch.user(login))
    return somebody


async def test_AUTH_6_every_unsafe_route_refuses_what_is_not_from_our_page_and_login(town: Town) -> None:
    ann, ben = await logged_in(town, "ann"), await logged_in(town, "ben")
    own, others = await token(ann), await token(ben)
    assert len(own) == len(others) == 64
    public = town.services.public_url
    forged: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
        ({}, SAME),
        ({"csrf": ""}, SAME),
        ({"csrf": others}, SAME),
        ({"csrf": own[:-1]}, SAME),
        ({"csrf": "é" * 64}, SAME),
        ({"csrf": own}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": own}, {"Sec-Fetch-Site": "same-site"}),
        ({"csrf": own}, {"Sec-Fetch-Site": "none"}),
        ({"csrf": own}, {"Sec-Fetch-Site": "cross-site", "Origin": public}),
        ({"csrf": own}, {"Origin": "https://evil.example"}),
        ({"csrf": own}, {"Origin": "null"}),
        ({"csrf": own}, {}),
        ({}, {"X-CSRF-Token": others, **SAME}),
        ({"csrf": own}, {"X-CSRF-Token": others, **SAME}),
    ]
    unsafe = paths(town, safe=False)
    assert {"/logout", "/me/delete", "/me/disconnect", "/me/logins/x/end"} <= {path for _, path in unsafe}
    kept = dump(town.path)
    for method, path in unsafe:
        for data, headers in forged:
            answer = await ann.ask(method, path, data=data, headers=headers)
            assert answer.status == 403, (method, path, data, headers)
        answer = await ann.ask(method, path, headers={"Content-Type": "text/plain", **SAME}, data={"csrf": own})
        assert answer.status == 403, "a body that is no form"
    assert dump(town.path) == kept


@pytest.mark.parametrize("headers", [SAME, {"Origin": "public"}, {"X-CSRF-Token": "own", **SAME}])
async def test_AUTH_6_what_comes_from_our_page_and_login_is_let_through(town: Town, headers: dict[str, str]) -> None:
    ann = await logged_in(town, "ann")
    own = await token(ann)
    sent = {name: {"public": town.services.public_url, "own": own}.get(value, value) for name, value in headers.items()}
    data = {} if "X-CSRF-Token" in sent else {"csrf": own}
    answer = await ann.ask("POST", "/logout", data=data, headers=sent)
    assert (answer.status, answer.location) == (303, "/me?said=out")
    assert await token(ann) == ""


async def test_AUTH_6_a_token_ends_with_its_login(town: Town) -> None:
    ann = await logged_in(town, "ann")
    old = await token(ann)
    await ann.log_in(town.twitch.user("ann"))
    assert (await ann.ask("POST", "/logout", data={"csrf": old}, headers=SAME)).status == 403
    assert await token(ann) not in {"", old}


async def test_AUTH_6_without_a_login_there_is_nothing_to_forge(town: Town) -> None:
    kept = dump(town.path)
    for method, path in [each for each in paths(town, safe=False) if each[1].startswith(("/me", "/logout"))]:
        answer = await town.somebody().ask(method, path, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 303
        assert not answer.cookies  # not one that takes the browser's away either
    assert dump(town.path) == kept
    assert await token(town.somebody()) == ""


async def test_AUTH_6_reading_changes_nothing(town: Town) -> None:
    ann, stranger = await logged_in(town, "ann"), town.somebody()
    walked = [path for _, path in paths(town, safe=True) if not path.endswith("/events")]
    assert len(walked) >= 20
    kept = dump(town.path)
    for path in walked:
        for somebody in (ann, stranger):
            for method in ("GET", "HEAD"):
                assert (await somebody.ask(method, path)).status < 500, path
                assert dump(town.path) == kept, path
    assert "Log out" in (await ann.get("/logout")).text
