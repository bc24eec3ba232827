"""Who listens to a recording, and whether they have been sent what has been played."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from feeds.alpaca.proxy.client import Client
from feeds.alpaca.proxy.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Audience:
    """The clients of all streams. `upstreams` returns those that there are by now."""

    upstreams: Callable[[], Sequence[Upstream]]

    @property
    def listening(self) -> int:
        """How many have what they asked for, and wait for no answer."""
        return sum(each.listening for each in self.upstreams())

    @property
    def mending(self) -> set[str]:
        """The streams of which what was missed is still to be sent."""
        return {each.endpoint.path for each in self.upstreams() if each.is_mending}

    def keeps_up(self) -> bool:
        """Return whether everything has been given to their sockets."""
        return not any(each.outbox.size for each in self._clients())

    def has_all(self) -> bool:
        """Return whether everything has left this process."""
        return not any(each.unsent for each in self._clients())

    def _clients(self) -> Iterator[Client]:
        for each in self.upstreams():
            yield from each.clients
