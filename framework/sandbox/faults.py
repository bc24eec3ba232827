"""Faults on demand: what goes wrong at the venue, by name and number, or at random by a seed.

A dialect names the faults it can make (`know`) and asks, wherever one could happen, whether it is to
(`take`). The control side and tests arm them (`arm`); `at_random` arms chance itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from framework.errors import ConfigError, nearest
from framework.model import nothing

_OWN = ("stream", "count", "after", "match")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is armed: `count` times (0: until cleared), after `after` chances were let pass.

    `stream` limits it to one stream ("data", "trade_updates") or to requests ("trading"). `match`
    limits it to chances whose facts are equal, such as {"event": "fill"} or {"method": "POST"}.
    `options` are the fault's own, such as {"seconds": 2}.
    """

    name: str
    stream: str | None = None
    count: int = 1
    after: int = 0
    match: Mapping[str, Any] = field(default_factory=nothing)
    options: Mapping[str, Any] = field(default_factory=nothing)

    def seconds(self, default: float) -> float:
        """Return how long it lasts, in seconds of I/O time."""
        return float(self.options.get("seconds", default))


class Faults:
    """Those armed, and those known. Owned by the thread that serves the market."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.made: Counter[str] = Counter()
        self._armed: list[tuple[Fault, list[int]]] = []
        self._rate, self._seed, self._chosen = 0.0, 0, frozenset[str]()
        self._randoms: dict[str, Random] = {}

    def know(self, names: Mapping[str, str]) -> None:
        """Add the faults that a dialect can make, each with one line that says what it does."""
        self.known.update(names)

    def arm(self, fault: str | Fault, **options: Any) -> Fault:
        """Arm a fault; raise `ConfigError` where no dialect knows it."""
        armed = fault if isinstance(fault, Fault) else _read(fault, options)
        self._check(armed.name)
        self._armed.append((armed, [armed.after, armed.count]))
        return armed

    def at_random(self, seed: int, rate: float, names: tuple[str, ...] = ()) -> None:
        """Let each chance go wrong with probability `rate`; the same seed and chances go wrong alike.

        `names` limits it to some faults; none means all.
        """
        for name in names:
            self._check(name)
        self._seed, self._rate, self._chosen = seed, rate, frozenset(names)
        self._randoms = {}

    def clear(self) -> None:
        """Disarm all of them."""
        self._armed.clear()
        self._rate = 0.0

    @property
    def armed(self) -> list[Fault]:
        """Those that still wait for their chance."""
        return [fault for fault, _ in self._armed]

    def take(self, name: str, stream: str | None = None, **facts: Any) -> Fault | None:
        """Return the fault of that name if it is to happen now; one that is counted is used up by it."""
        for entry in self._armed:
            fault, left = entry
            if fault.name == name and _meets(fault, stream, facts) and self._is_due(entry, left):
                self.made[name] += 1
                return fault
        if self._rate and (not self._chosen or name in self._chosen) and self._random(name) < self._rate:
            self.made[name] += 1
            return Fault(name, stream)
        return None

    def _check(self, name: str) -> None:
        if name not in self.known:
            known = ", ".join(sorted(self.known))
            raise ConfigError(f"there is no fault {name!r}{nearest(name, self.known)}; try one of: {known}")

    def _is_due(self, entry: tuple[Fault, list[int]], left: list[int]) -> bool:
        if left[0] > 0:
            left[0] -= 1
            return False
        if left[1] > 0:
            left[1] -= 1
            if not left[1]:
                self._armed.remove(entry)
        return True

    def _random(self, name: str) -> float:
        """Draw from a sequence of the name's own, so that one kind of chance does not move another."""
        return self._randoms.setdefault(name, Random(f"{self._seed}/{name}")).random()


def _meets(fault: Fault, stream: str | None, facts: Mapping[str, Any]) -> bool:
    wanted = fault.stream is None or stream is None or fault.stream == stream
    return wanted and all(facts.get(key) == value for key, value in fault.match.items())


def _read(name: str, options: Mapping[str, Any]) -> Fault:
    own = {key: options[key] for key in _OWN if key in options}
    return Fault(name, **own, options={key: value for key, value in options.items() if key not in _OWN})
