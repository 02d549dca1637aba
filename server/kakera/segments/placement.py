"""Which drives take the strands of a new segment: pure."""

from __future__ import annotations

from collections.abc import Mapping

from kakera.segments.drive import Drive


def place(usable: Mapping[int, Drive], k: int, m: int, *, turn: int = 0) -> list[Drive | None]:
    """The drive of each strand index 0 .. k+m-1; None at the end where there are too few drives.

    No failure domain takes a second strand while another has none left to give, and within a domain the emptiest
    drive comes first. The data strands come first, so that a segment begun with a drive away is still read without
    decoding. `turn` (any number, such as the segment's) moves the beginning, so that every drive gets its share of
    the reads.
    """
    domains: dict[str, list[tuple[int, int, Drive]]] = {}
    for slot, drive in sorted(usable.items()):
        domains.setdefault(drive.domain, []).append((-_free_bytes(drive), slot, drive))
    for members in domains.values():
        members.sort(key=lambda entry: entry[:2])
    chosen: list[tuple[int, Drive]] = []
    while len(chosen) < k + m and any(domains.values()):
        # Most free space first, so that spare domains fill evenly.
        for name in sorted((name for name in domains if domains[name]), key=lambda n: domains[n][0][:2]):
            if len(chosen) < k + m:
                _, slot, drive = domains[name].pop(0)
                chosen.append((slot, drive))
    chosen.sort(key=lambda entry: entry[0])
    start = turn % len(chosen) if chosen else 0
    ordered: list[Drive | None] = [drive for _, drive in chosen[start:] + chosen[:start]]
    return ordered + [None] * (k + m - len(ordered))


def _free_bytes(drive: Drive) -> int:
    try:
        return drive.space().free_bytes // _STEP_BYTES
    except OSError:
        return -1


# Drives whose free space differs by less than a GiB count as equal: places stay the same between segments.
_STEP_BYTES = 1 << 30
