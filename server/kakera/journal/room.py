"""Is there room: on the drives, and where the index lies? When not, only what frees space is taken (R7)."""

from __future__ import annotations

from kakera.journal.members import Members
from kakera.segments.reserve import Reserve


class Room:
    """`full`: why nothing is added; "" while there is room."""

    def __init__(self, drives: Members, reserve_bytes: int, k: int, state: Reserve | None) -> None:
        self._drives = drives
        self._reserve_bytes = reserve_bytes
        self._k = k
        self._state = state
        self.full = ""

    def look(self) -> None:
        """Ask all drives and the state folder, and have them hold their reserves. To be called once a probe."""
        self.full = ""
        lacking = self._drives.without_room(self._reserve_bytes)
        present = len(self._drives.present)
        if present > self._k >= present - len(lacking):  # without the full ones there would be enough
            names = ", ".join(map(str, lacking))
            self.full = f"drives {names} have no more than {self._reserve_bytes >> 20} MiB free: only DELETE is taken"
        if self._state is not None and self._state_is_full(self._state):
            self.full = f"the state folder has no more than {self._reserve_bytes >> 20} MiB free: only DELETE is taken"

    def _state_is_full(self, state: Reserve) -> bool:
        try:
            _, free_bytes = state.space()
        except OSError:
            return False  # the index tells, when it is used
        if free_bytes > self._reserve_bytes:
            state.keep(self._reserve_bytes // 2)
        return free_bytes <= self._reserve_bytes

    def help_index(self) -> None:
        """The index took no commit: when its folder is full, some of the reserve is given back before it is tried
        again."""
        if self._state is not None:
            self._state.ease()
