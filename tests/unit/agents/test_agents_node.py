"""A walk through a graph whose driver loses the cancellation, as `asyncio.wait_for` can before Python 3.12."""

import asyncio

import pytest

from codeflow.agents.node import Walk


async def test_a_cancelled_walk_ends_although_its_driver_goes_on():
    walk, begun = Walk(), asyncio.Event()
    ended: list[str | bool] = []

    async def node() -> bool:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("node")
        return True

    async def deaf() -> None:
        for _ in range(3):
            try:
                ended.append(await walk.step(node))
            except asyncio.CancelledError:
                ended.append("cancelled")

    following = asyncio.ensure_future(walk.follow(deaf()))
    await begun.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert ended == ["node", False, False, False]


async def test_a_walk_that_comes_to_its_end_hands_on_what_its_nodes_said():
    walk = Walk()
    said: list[bool] = []

    async def node() -> bool:
        return True

    async def graph() -> None:
        said.append(await walk.step(node))
        raise ValueError("out of nodes")

    with pytest.raises(ValueError, match="out of nodes"):
        await walk.follow(graph())
    assert said == [True]
