"""The rows Twitch publishes as examples are read, by an oracle that is not ours."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from providers.twitch import shapes

SHAPES: dict[str, Callable[[shapes.Row], Any]] = {
    "Get Users": shapes.user,
    "Get Streams": shapes.stream,
    "Get Channel Information": shapes.channel,
    "Get Videos": shapes.video,
    "Get Clips": shapes.clip,
    "Get Moderated Channels": shapes.moderated,
    "Get EventSub Subscriptions": shapes.subscription,
    "Create EventSub Subscription": shapes.subscription,
    "Get Conduits": shapes.conduit,
    "Create Conduits": shapes.conduit,
    "Get Conduit Shards": shapes.shard,
    "Send Chat Message": shapes.sent,
    "Create Stream Marker": shapes.marker,
    "Create Clip From VOD": shapes.clip_made,
}


@pytest.mark.parametrize("name", SHAPES)
def test_twitchs_own_example_is_read(shared_data: Path, name: str) -> None:
    published = [
        whole(example["json"])
        for example in orjson.loads((shared_data / "twitch-spec" / "helix-examples.json").read_bytes())["examples"]
        if f"/ {name} /" in example["heading"] and "Response" in example["heading"]
    ]
    assert published, f"Twitch publishes no example of {name}"
    for answer in published:
        assert shapes.rows(answer, SHAPES[name], name)


def whole(example: Any) -> Any:  # noqa: ANN401 -- whatever Twitch publishes
    """The example; where its authors left rows out with an ellipsis, without that."""
    return orjson.loads(re.sub(r",\s*\.\.\.", "", example["_unparsed"])) if "_unparsed" in example else example
