"""A damaged header is not a header that was never written (R15): what was acked in its segment is not cut."""

from __future__ import annotations

import pytest

from tests.fakes.world import World


@pytest.mark.parametrize(("k", "m", "damaged"), [(2, 1, (0,)), (4, 2, (0, 1)), (4, 2, (4, 5))])
@pytest.mark.parametrize("at", [5, 100])
@pytest.mark.parametrize("successors", [0, 1])
def test_damaged_headers_within_tolerance_cut_nothing(
    k: int, m: int, damaged: tuple[int, ...], at: int, successors: int
) -> None:
    world = World(k=k, m=m)
    for _ in range(successors):
        world.successor()
    world.run(world.put(b"k", b"hello"))
    for slot in damaged:
        file = world.drives[slot]._files[world.segment()]
        file.cache[at] ^= 1
        file.disk[at] ^= 1
    world.successor()
    assert world.get(b"k") == b"hello"
