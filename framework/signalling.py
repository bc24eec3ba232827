"""From sources of signals to feeds: one for each algorithm, beside the feeds of bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from framework.columns import moment
from framework.errors import ConfigError
from framework.feeding import Feed
from framework.model import SignalAction, Signals
from framework.ports import SignalSource, Source


@dataclass(frozen=True, slots=True)
class SignalFeed:
    """What one feed of signals is made of: what its algorithm told, in the order of receipt.

    It opens with a neutral item at `opens`, the first bar's instant: `next` does not wait for the first signal.
    """

    publisher: str
    algorithm: str
    opens: datetime
    told: tuple[Signals, ...] = ()

    @property
    def name(self) -> str:
        """The feed's name in Backtrader: "AlphaHub 16"."""
        return f"{self.publisher} {self.algorithm}"


def parted(source: Source | Iterable[Source | SignalSource]) -> tuple[list[Source], list[SignalSource]]:
    """Return the sources of bars and those of signals; raise `ConfigError` where there are no bars, or one is neither.

    An algorithm comes from one source.
    """
    given = [source] if isinstance(source, Source | SignalSource) else list(source)
    strange = [each for each in given if not isinstance(each, Source | SignalSource)]
    if strange:
        raise ConfigError(f"source={strange[0]!r} brings neither bars nor signals; give AlpacaBars or SampleBars, say")
    bars = [each for each in given if isinstance(each, Source)]
    signals = [each for each in given if isinstance(each, SignalSource)]
    if not bars:
        raise ConfigError("a run needs bars; give them beside the signals: source=[AlpacaBars(...), signals]")
    algorithms = Counter(name for each in signals for name in each.algorithms)
    if twice := [name for name, count in algorithms.items() if count > 1]:
        raise ConfigError(f"algorithm {twice[0]} comes from more than one source; give each algorithm one")
    return bars, signals


def signalled(sources: Sequence[SignalSource], feeds: Sequence[Feed]) -> list[SignalFeed]:
    """Return the feeds of a backtest: what was received after the start, where there is a bar of every symbol.

    What came after the last bar is left out: nothing could be made of it.
    """
    if not sources:
        return []
    bars = [feed.bars for feed in feeds if len(feed.bars)]
    opens = min(moment(each.end[0]) for each in bars)
    starts = [feed.opens_at for feed in feeds if feed.opens_at is not None]
    after = max(starts) if starts else max(moment(each.end[0]) for each in bars)
    until = max(moment(each.end[-1]) for each in bars)
    return [feed for source in sources for feed in _of_source(source, opens, after, until)]


def unopened(sources: Sequence[SignalSource], feeds: Sequence[Feed], at: datetime) -> list[SignalFeed]:
    """Return the feeds of a session that begins at a time: nothing was told yet."""
    opens = min((moment(feed.bars.end[0]) for feed in feeds if len(feed.bars)), default=at)
    return [SignalFeed(source.publisher, name, opens) for source in sources for name in source.algorithms]


def _of_source(source: SignalSource, opens: datetime, after: datetime, until: datetime) -> list[SignalFeed]:
    told = source.history(after, until)
    return [
        SignalFeed(source.publisher, name, opens, tuple(each for each in told if each.algorithm == name))
        for name in source.algorithms
    ]


def unfollowed(feeds: Iterable[SignalFeed], symbols: Iterable[str]) -> list[str]:
    """Return what was told of symbols without bars, in a sentence: nobody can trade them."""
    lacking = Counter(each for feed in feeds for told in feed.told for each in opened(told))
    for symbol in symbols:
        lacking.pop(symbol, None)
    return [without_bars(lacking)] if lacking else []


def opened(told: Signals) -> list[str]:
    """Return the symbols that signals open a position in."""
    return [each.symbol for each in told.signals if each.action is SignalAction.OPEN and each.side is not None]


def without_bars(lacking: Counter[str], most: int = 10) -> str:
    """Return in a sentence how often signals were of symbols without bars."""
    told = ", ".join(f"{symbol} ({count})" for symbol, count in lacking.most_common(most))
    more = f" and {len(lacking) - most} more symbols" if len(lacking) > most else ""
    count = lacking.total()
    return (
        f"{count} signal{'' if count == 1 else 's'} to open could not be followed, there are no bars of {told}{more}; "
        "add these symbols to the source of bars"
    )


def silent(feeds: Iterable[SignalFeed]) -> list[str]:
    """Return the algorithms of which nothing was heard in a run, each in a sentence."""
    return [f"{feed.name} published nothing between the first bar and the last" for feed in feeds if not feed.told]
