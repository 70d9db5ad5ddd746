"""The best parts are worked out once for all who wait, however fast a track changes."""

import asyncio
from typing import cast

import pytest

from commands.best import Best
from moments.saves import Part
from storage import Store, popularity
from storage.tracks import Track


async def test_however_many_versions_are_waited_for_two_workings_out_serve_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, gate = 0, asyncio.Event()

    async def slow(_asked: object, _track: Track, _limit: int) -> list[Part]:
        nonlocal begun
        begun += 1
        await gate.wait()
        return [Part(0, 1, begun)]

    monkeypatch.setattr(popularity, "best", slow)
    best, store = Best(), cast("Store", None)
    waiting = []
    for version in range(1, 21):
        waiting.append(asyncio.create_task(best.of(store, Track(1, "t", version))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gate.set()
    found = await asyncio.gather(*waiting)
    assert begun == 2
    assert found[0] == (Part(0, 1, 1),)
    assert set(found[1:]) == {(Part(0, 1, 2),)}  # nobody is answered from before the version they have seen
    assert await best.of(store, Track(1, "t", 20)) == (Part(0, 1, 2),)
    assert begun == 2
