"""What determines a run, as a key: the same key, the same row, on whatever machine and whenever it was made."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from framework.ports import Warmup
from framework.research.fingerprint import bars_digest, digest
from framework.research.held import HeldBars, HeldSignals
from framework.research.job import Job
from framework.research.loading import Loaded
from framework.research.rows import FORMAT

_NOT_THE_RUN = frozenset({"strategy", "source", "params", "more_params", "progress", "live", "background"})


def keys(job: Job, loaded: Loaded, given: Mapping[str, Any]) -> list[str]:
    """Return each run's key; `given` are `run`'s arguments by name, with their defaults.

    In it are the code, every parameter, the bars (of the warm-up only what the run asks for: a larger grid leaves
    the keys of a smaller one as they are), the signals, costs and other keywords, and the versions.
    """
    how = {name: value for name, value in given.items() if name not in _NOT_THE_RUN}
    how["venue"] = job.how.get("venue")
    shared = (how, _signals(loaded.signals), [_bars(each) for each in loaded.bars])
    common = digest(job.strategy, *shared, versions(), FORMAT)
    fixed = {**dict(job.strategy.params._getitems()), **given.get("more_params", {}), **job.fixed}
    warm = functools.cache(lambda at, warmup: _warm(loaded.bars[at], warmup))
    return [
        digest(common, {**fixed, **params}, [warm(at, each) for at, each in enumerate(asked)])
        for params, asked in zip(job.sets, loaded.asked, strict=True)
    ]


@functools.cache
def versions() -> tuple[str, ...]:
    """Return what the engine and its surroundings are: versions, and Switchback's own code that makes a backtest."""
    folder = Path(__file__).parent.parent
    code = blake2b(digest_size=16)
    for path in sorted([*folder.glob("*.py"), *(folder / "engine").glob("*.py")]):
        code.update(path.name.encode() + b"\n" + path.read_bytes())
    libraries = [f"{name} {version(name)}" for name in ("switchback", "backtrader", "numpy", "pandas")]
    return (*libraries, "python {}.{}".format(*sys.version_info), code.hexdigest())


def _bars(each: HeldBars) -> tuple[Any, ...]:
    what = (each.symbols, str(each.timeframe), each.calendar, each.start, each.end)
    return (*what, bars_digest(each.after()))


def _warm(each: HeldBars, warmup: Warmup) -> str:
    return bars_digest(each.before(warmup))


def _signals(signals: tuple[HeldSignals, ...]) -> list[Any]:
    return [(each.publisher, each.algorithms, each.told) for each in signals]
