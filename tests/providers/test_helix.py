"""Helix: what each call sends, and what is believed of the answer."""

from datetime import UTC, datetime

import pytest

from moments.errors import ProviderUnreadable
from providers.twitch import helix as under_test
from providers.twitch.helix import MOST_PAGES, Helix
from tests.providers.calls import CALLS, MARKER, READS, SENT, SHARD, SUBSCRIPTION, USER, VIDEO, Row, asked
from tests.providers.conftest import CLIENT_ID, GRANT
from tests.providers.service import Service, rows, says


@pytest.mark.parametrize("name", CALLS)
async def test_each_call_carries_its_own_token_and_our_client_id(service: Service, helix: Helix, name: str) -> None:
    method, path, row, call = CALLS[name]
    service.plan(method, f"/helix{path}", rows(row))
    assert await call(helix)
    token = {"moderated": "theirs", "marker": GRANT.access_token, "clip": GRANT.access_token}.get(name, "app")
    assert len(asked(service)) == 1
    headers = asked(service)[0].headers
    assert (headers["Authorization"], headers["Client-Id"]) == (f"Bearer {token}", CLIENT_ID)


@pytest.mark.parametrize("name", CALLS)
async def test_fields_we_do_not_know_are_passed_over(service: Service, helix: Helix, name: str) -> None:
    method, path, row, call = CALLS[name]
    service.plan(method, f"/helix{path}", rows(row | {"brand_new": [None]}))
    assert await call(helix)


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, (_, _, row, _) in CALLS.items() for field in row if field != "transport"],
)
async def test_a_row_with_a_wrong_or_missing_field_is_unreadable(
    service: Service, helix: Helix, name: str, field: str
) -> None:
    method, path, row, call = CALLS[name]
    without = {key: value for key, value in row.items() if key != field}
    nullable = field in {"stream_id", "muted_segments"}
    for bad in (row | {field: 7.5}, row | {field: [True]}, *(() if nullable else (without, row | {field: None}))):
        service.plan(method, f"/helix{path}", rows(bad))
        with pytest.raises(ProviderUnreadable) as caught:
            await call(helix)
        assert str(caught.value).startswith(f"{method} /helix{path}, ")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("marker", {"position_seconds": True}),
        ("marker", {"position_seconds": -1}),
        ("conduits", {"shard_count": False}),
        ("send", {"is_sent": 1}),
        ("send", {"is_sent": False, "drop_reason": {"code": 7}}),
        ("users", {"id": ""}),
        ("users", {"created_at": "2020-01-02T03:04:05"}),
        ("users", {"created_at": "yesterday"}),
        ("users", {"created_at": "0001-01-01T00:00:00+23:59"}),
        ("videos", {"duration": ""}),
        ("videos", {"duration": "3:02:01"}),
        ("videos", {"duration": "1s2m"}),
        ("videos", {"duration": "٣s"}),
        ("videos", {"duration": "9999999s"}),
        ("videos", {"muted_segments": [{"offset": True, "duration": 1}]}),
        ("videos", {"muted_segments": [{"offset": 1}]}),
        ("videos", {"muted_segments": [7]}),
        ("videos", {"muted_segments": {}}),
        ("subscriptions", {"condition": {"broadcaster_user_id": 1}}),
        ("subscriptions", {"condition": []}),
        ("subscriptions", {"transport": None}),
        ("subscriptions", {"transport": {"conduit_id": 7}}),
    ],
)
async def test_a_value_of_the_wrong_kind_is_unreadable(service: Service, helix: Helix, name: str, change: Row) -> None:
    method, path, row, call = CALLS[name]
    service.plan(method, f"/helix{path}", rows(row | change))
    with pytest.raises(ProviderUnreadable):
        await call(helix)


@pytest.mark.parametrize("body", [None, [], 7, {}, {"data": None}, {"data": {}}, {"data": [None]}, {"data": ["x"]}])
@pytest.mark.parametrize("name", CALLS)
async def test_an_answer_without_rows_is_unreadable(service: Service, helix: Helix, name: str, body: object) -> None:
    method, path, _, call = CALLS[name]
    service.plan(method, f"/helix{path}", says(200, body))
    with pytest.raises(ProviderUnreadable):
        await call(helix)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in READS])
@pytest.mark.parametrize("count", [0, 2])
async def test_what_was_made_comes_as_exactly_one_row(service: Service, helix: Helix, name: str, count: int) -> None:
    method, path, row, call = CALLS[name]
    service.plan(method, f"/helix{path}", rows(*[row] * count))
    with pytest.raises(ProviderUnreadable, match=f"{count} rows"):
        await call(helix)


async def test_rows_become_values(service: Service, helix: Helix) -> None:
    for method, path, row, _ in CALLS.values():
        service.plan(method, f"/helix{path}", rows(row))
    assert await helix.users(["1"]) == [("1", "rosa", "Rosa", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))]
    began = datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert await helix.streams(["1"]) == [("s1", "1", "live", "Any%", "Celeste", began)]
    assert await helix.channels(["1"]) == [("1", "rosa", "Rosa", "", "")]
    video = (await helix.videos("1"))[0]
    assert (video.stream_id, video.duration_seconds, video.muted) == ("s1", 3 * 3600 + 2 * 60 + 1, ((120, 30),))
    assert (await helix.create_marker("1001", "x")).created_at == datetime(2026, 3, 1, 12, 0, 0, 730260, tzinfo=UTC)
    subscription = (await helix.subscriptions())[0]
    assert (subscription.condition, subscription.conduit_id) == ({"broadcaster_user_id": "1"}, "k1")


async def test_an_archive_may_be_of_no_stream_and_not_muted(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/videos", rows(VIDEO | {"stream_id": None, "muted_segments": None, "duration": "45s"}))
    video = (await helix.videos("1"))[0]
    assert (video.stream_id, video.muted, video.duration_seconds) == (None, (), 45)
    assert asked(service)[0].query == [("user_id", "1"), ("type", "archive"), ("sort", "time"), ("first", "100")]


async def test_a_subscription_of_a_socket_has_no_conduit(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/eventsub/subscriptions", rows(SUBSCRIPTION | {"transport": {"method": "websocket"}}))
    assert (await helix.subscriptions())[0].conduit_id is None


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        (SENT, ("abc", True, "")),
        (SENT | {"drop_reason": None}, ("abc", True, "")),
        ({"message_id": "", "is_sent": False, "drop_reason": {"code": "msg_duplicate"}}, ("", False, "msg_duplicate")),
        ({"message_id": "", "is_sent": False}, ("", False, "unknown")),
    ],
)
async def test_a_chat_message_is_sent_in_thread_and_may_be_dropped(
    service: Service, helix: Helix, row: Row, sent: tuple[str, bool, str]
) -> None:
    service.plan("POST", "/helix/chat/messages", rows(row))
    assert await helix.send_message("1", "2", "hej ☕", reply_to="m") == sent
    await helix.send_message("1", "2", "hej")
    words = {"broadcaster_id": "1", "sender_id": "2", "message": "hej ☕", "reply_parent_message_id": "m"}
    assert [request.json for request in asked(service)] == [
        words,
        {"broadcaster_id": "1", "sender_id": "2", "message": "hej"},
    ]
    assert not any(request.query for request in asked(service))


async def test_writes_put_their_words_where_twitch_reads_them(service: Service, helix: Helix) -> None:
    for method, path, row, call in (CALLS[name] for name in ("marker", "clip", "subscribe", "create_conduit")):
        service.plan(method, f"/helix{path}", rows(row))
        await call(helix)
    marker, clip, subscribe, conduit = asked(service)
    assert marker.json == {"user_id": "1001", "description": "x"}
    assert dict(clip.query) == {
        "editor_id": "1001",
        "broadcaster_id": "1001",
        "vod_id": "v",
        "vod_offset": "60",
        "duration": "30",
        "title": "t",
    }
    assert subscribe.json == {
        "type": "stream.online",
        "version": "1",
        "condition": {"broadcaster_user_id": "1"},
        "transport": {"method": "conduit", "conduit_id": "k1"},
    }
    assert (conduit.json, conduit.query) == ({"shard_count": 2}, [])


async def test_a_markers_description_is_cut_to_what_twitch_takes(service: Service, helix: Helix) -> None:
    service.plan("POST", "/helix/streams/markers", rows(MARKER))
    await helix.create_marker("1001", "ä" * 200)
    assert asked(service)[0].json["description"] == "ä" * 140


async def test_pages_are_followed_to_the_last(service: Service, helix: Helix) -> None:
    path = "/helix/eventsub/subscriptions"
    service.plan("GET", path, rows(SUBSCRIPTION, cursor="a"), rows(SUBSCRIPTION, SUBSCRIPTION, cursor="b"), rows())
    assert len(await helix.subscriptions()) == 3
    assert [request.query for request in asked(service)] == [[], [("after", "a")], [("after", "b")]]


async def test_the_subscriptions_of_more_channels_than_other_lists_have_pages_for_are_all_read(
    service: Service, helix: Helix
) -> None:
    more = [rows(SUBSCRIPTION, cursor=str(page)) for page in range(MOST_PAGES)]
    service.plan("GET", "/helix/eventsub/subscriptions", *more, rows(SUBSCRIPTION))
    assert len(await helix.subscriptions()) == MOST_PAGES + 1


async def test_subscriptions_without_end_are_left(
    service: Service, helix: Helix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "MOST_SUBSCRIPTION_PAGES", 7)
    service.plan("GET", "/helix/eventsub/subscriptions", rows(SUBSCRIPTION, cursor="again"))
    with pytest.raises(ProviderUnreadable, match="no end"):
        await helix.subscriptions()
    assert len(asked(service)) == 7


async def test_pages_without_end_are_left(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/eventsub/conduits/shards", rows(SHARD, cursor="again"))
    with pytest.raises(ProviderUnreadable, match="no end"):
        await helix.shards("k1")
    assert len(asked(service)) == MOST_PAGES


@pytest.mark.parametrize("pagination", [7, [1], "x", {"cursor": 7}, {"cursor": ["a"]}])
async def test_a_cursor_that_is_no_text_is_unreadable(service: Service, helix: Helix, pagination: object) -> None:
    service.plan("GET", "/helix/users", says(200, {"data": [USER], "pagination": pagination}))
    with pytest.raises(ProviderUnreadable):
        await helix.users(["1"])


async def test_many_ids_are_asked_a_hundred_at_a_time_and_each_once(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/users", rows(USER))
    ids = [str(number) for number in range(150)]
    assert len(await helix.users([*ids, "7", "7"], logins=["rosa"])) == 2
    sent = [request.query for request in asked(service)]
    assert [len(pairs) for pairs in sent] == [100, 51]
    assert [*sent[0], *sent[1]] == [("id", user_id) for user_id in ids] + [("login", "rosa")]


async def test_nobody_is_asked_for_nothing(service: Service, helix: Helix) -> None:
    for found in (await helix.users(), await helix.streams([]), await helix.channels([]), await helix.clips([])):
        assert not found
    assert not service.asked
