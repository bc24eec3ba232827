"""What waits to be written to one client, in its order and within a budget of bytes. Pure.

As long as a client keeps up nothing is looked at. Where more waits than the budget has room for, quotes
are conflated: of each symbol only the latest is kept, in the latest's place. Everything else is kept; a
client that is behind by more than that is too slow (407).
"""

from __future__ import annotations

from collections import deque

from feeds.alpaca.proxy.frames import Batch, Codec

BUDGET = 4 << 20
"""Bytes."""

CONFLATED = ("q",)
"""The types of which the latest says it all. Order books are none: most of them are what has changed."""

Place = tuple[str, str] | int
"""What a message that waits is kept under: type and symbol where a later one takes its place, else a number."""


class Outbox:
    """One client's queue. Owned by the proxy's loop."""

    def __init__(self, codec: Codec, budget: int = BUDGET) -> None:
        self.codec, self.budget = codec, budget
        self.size = 0
        """Bytes that wait."""
        self.conflated = 0
        """How many messages gave way to later ones."""
        self._frames: deque[tuple[bytes, Batch]] = deque()
        self._kept: dict[Place, bytes] | None = None  # where it conflates
        self._number = 0

    @property
    def is_over(self) -> bool:
        """Whether the client is too slow: more waits than there is room for, conflated or not."""
        return self.size > self.budget

    def push(self, batch: Batch) -> None:
        """Let a frame wait for its turn."""
        if self._kept is not None:
            self._keep(self._kept, batch)
            return
        frame = batch.frame(self.codec)
        self._frames.append((frame, batch))
        self.size += len(frame)
        if self.size > self.budget:
            self._conflate()

    def take(self, room: int) -> bytes:
        """Return the frames whose turn it is: as many as have room, and one at the least."""
        if self._kept is not None:
            return self._take_kept(self._kept, room)
        if self.size <= room:
            taken = b"".join([frame for frame, _ in self._frames])
            self._frames.clear()
            self.size = 0
            return taken
        frames: list[bytes] = []
        while self._frames and (not frames or room >= len(self._frames[0][0])):
            frames.append(self._frames.popleft()[0])
            room -= len(frames[-1])
        return self._taken(frames)

    def clear(self) -> None:
        """Forget all that waits."""
        self._frames.clear()
        self._kept, self.size = None, 0

    def _take_kept(self, kept: dict[Place, bytes], room: int) -> bytes:
        frames: list[bytes] = []
        while kept:
            place = next(iter(kept))
            if frames and len(kept[place]) > room:
                break
            frames.append(kept.pop(place))
            room -= len(frames[-1])
        if not kept:
            self._kept = None
        return self._taken(frames)

    def _taken(self, frames: list[bytes]) -> bytes:
        taken = b"".join(frames)
        self.size -= len(taken)
        return taken

    def _conflate(self) -> None:
        """Look at each message from now on, until nothing waits any more."""
        frames, self._frames = self._frames, deque()
        self._kept, self.size = {}, 0
        for _, batch in frames:
            self._keep(self._kept, batch)

    def _keep(self, kept: dict[Place, bytes], batch: Batch) -> None:
        for at, message in enumerate(batch.messages):
            place: Place = (message.kind, message.symbol)
            if message.kind not in CONFLATED:
                self._number += 1
                place = self._number
            if (before := kept.pop(place, None)) is not None:
                self.size -= len(before)
                self.conflated += 1
            kept[place] = batch.single(at, self.codec)
            self.size += len(kept[place])
