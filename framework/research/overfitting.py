"""What the best of many runs is worth: the deflated Sharpe ratio, and the probability of backtest overfitting. Pure.

    Bailey, López de Prado 2012, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2): the probabilistic one
    Bailey, López de Prado 2014, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5)
    Bailey, Borwein, López de Prado, Zhu 2017, "The Probability of Backtest Overfitting", Journal of Computational
        Finance 20(4): combinatorially symmetric cross-validation (CSCV)

Sharpe ratios are a day's here (mean over sample standard deviation), not a year's, unless said otherwise; the
risk-free rate is 0. What is not defined is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import NormalDist
from typing import Any

import numpy as np

from framework.columns import Floats

_NORMAL = NormalDist()
_EULER = 0.5772156649015329  # the Euler-Mascheroni constant

BLOCKS, _FEWEST_BLOCKS = 16, 4
"""Into how many blocks CSCV cuts the days, as its paper does, and the fewest that still say anything."""

_MOST_SHARPES = 50_000_000
"""Sharpe ratios that CSCV works out; where runs are so many, it makes do with fewer blocks."""

_AT_ONCE = 2_000_000


def probabilistic_sharpe(
    sharpe: float, days: int, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark, as a fraction (2012).

    `sharpe` was seen over so many returns of that skewness and kurtosis (3 is a normal distribution's). Fewer returns,
    losses that are larger than gains, and fat tails make it smaller.
    """
    if days < 2:
        return math.nan
    spread = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if not spread > 0:
        return math.nan
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((days - 1) / spread))


def expected_best_sharpe(deviation: float, trials: float) -> float:
    """Return the Sharpe ratio that the best of so many independent trials without any skill has (2014).

    `deviation` is the standard deviation of the trials' Sharpe ratios. One trial is not chosen: 0.
    """
    if not trials > 1:
        return 0.0
    first = (1 - _EULER) * _NORMAL.inv_cdf(1 - 1 / trials)
    return deviation * (first + _EULER * _NORMAL.inv_cdf(1 - 1 / (trials * math.e)))


@dataclass(frozen=True, slots=True)
class Moments:
    """Daily returns in four numbers."""

    days: int
    sharpe: float
    skew: float
    kurtosis: float

    def probability(self, benchmark: float = 0.0) -> float:
        """Return the probabilistic Sharpe ratio."""
        if math.isnan(self.sharpe):
            return math.nan
        how = {"skew": self.skew, "kurtosis": self.kurtosis, "benchmark": benchmark}
        return probabilistic_sharpe(self.sharpe, self.days, **how)


def moments(returns: Any) -> Moments:
    """Return the moments of daily returns; NaN where they do not differ."""
    values = np.asarray(returns, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < 2 or values.min() == values.max():
        return Moments(len(values), math.nan, math.nan, math.nan)
    around = values - values.mean()
    spread = float(np.square(around).mean())
    skew, kurtosis = float((around**3).mean()) / spread**1.5, float((around**4).mean()) / spread**2
    return Moments(len(values), float(values.mean() / values.std(ddof=1)), skew, kurtosis)


def backtest_overfitting(returns: Any, blocks: int | None = None) -> float:
    """Return the probability that what is best on one half of the days is below the median on the other (2017).

    `returns` has a row a day and a column a run. The days are cut into an even number of `blocks`; each choice of half
    of them is once what the best run by Sharpe ratio is chosen on, the others what it is tried on. About 0.5
    is chance: what was best says nothing of what will be. NaN for one run, or too few days.
    """
    values = np.asarray(returns, dtype=float)
    days, runs = values.shape if values.ndim == 2 else (0, 0)
    count = _blocks(days, runs) if blocks is None else blocks
    if runs < 2 or count < 2 or days < 2 * count:
        return math.nan
    below = total = 0
    for chosen in _halves(count, max(1, _AT_ONCE // runs)):
        below += int((_logits(values, count, chosen) <= 0).sum())
        total += len(chosen)
    return below / total


def _blocks(days: int, runs: int) -> int:
    """Return how many blocks days can be cut into, of two days at least, and runs leave time for."""
    most = min(BLOCKS, days // 2) // 2 * 2
    while most > _FEWEST_BLOCKS and math.comb(most, most // 2) * runs > _MOST_SHARPES:
        most -= 2
    return most if most >= _FEWEST_BLOCKS else 0


def _halves(blocks: int, some: int) -> Iterator[Floats]:
    """Yield every choice of half of the blocks, as rows of ones and zeros, some at a time."""
    each = combinations(range(blocks), blocks // 2)
    while part := list(islice(each, some)):
        chosen = np.zeros((len(part), blocks))
        np.put_along_axis(chosen, np.array(part), 1.0, axis=1)
        yield chosen


def _logits(values: Floats, blocks: int, chosen: Floats) -> Floats:
    """Return for each choice the logit of the rank that the best of one half has in the other (2017)."""
    pieces = np.array_split(values, blocks)
    parts = [
        np.array(each)
        for each in ([len(p) for p in pieces], [p.sum(0) for p in pieces], [(p * p).sum(0) for p in pieces])
    ]
    within, without = _sharpes(chosen, *parts), _sharpes(1 - chosen, *parts)
    kept = np.take_along_axis(without, within.argmax(axis=1)[:, None], axis=1)
    rank = (without < kept).sum(axis=1) + ((without == kept).sum(axis=1) + 1) / 2
    share = rank / (values.shape[1] + 1)
    logits: Floats = np.log(share / (1 - share))
    return logits


def _sharpes(chosen: Floats, days: Any, sums: Any, squares: Any) -> Floats:
    """Return each run's Sharpe ratio over each choice of blocks; 0 where it did nothing."""
    count = (chosen @ days)[:, None]
    mean = chosen @ sums / count
    spread = (chosen @ squares - count * mean**2) / (count - 1)
    deviation = np.sqrt(np.maximum(spread, 0))
    found: Floats = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
    return found


@dataclass(frozen=True, slots=True)
class Deflated:
    """The best of many runs, with what its being the best of many takes from it.

    number       its row in the table
    sharpe       its Sharpe ratio, a year's
    expected     the Sharpe ratio, a year's, that the best of so many runs without any skill is expected to have
    probability  the deflated Sharpe ratio: how probable it is that its true Sharpe ratio is above 0, as a fraction, the
                 number of trials considered. Below 0.95 the figure is no evidence
    undeflated   the same for a run that was the only one (the probabilistic Sharpe ratio)
    overfit      the probability of backtest overfitting, where all runs are chosen among by Sharpe ratio: 0.5 is chance
    trials, days how many runs there were to choose among, and over how many days each
    """

    number: int
    sharpe: float
    expected: float
    probability: float
    undeflated: float
    overfit: float
    trials: int
    days: int

    def __str__(self) -> str:
        if math.isnan(self.probability):
            return f"deflated Sharpe ratio: cannot be told ({self.trials} runs with a Sharpe ratio, {self.days} days)"
        overfit = "" if math.isnan(self.overfit) else f"; probability of backtest overfitting {self.overfit:.2f}"
        return (
            f"deflated Sharpe ratio {self.probability:.2f} (a Sharpe ratio of {self.sharpe:.2f}; "
            f"the best of {self.trials:,} runs without skill has {self.expected:.2f}){overfit}"
        )


def deflated(returns: Any, number: int, year: int, trials: float | None = None) -> Deflated:
    """Return what the run of that number is worth as the best of a table of daily returns, a column a run.

    `year` is how many days a year has. `trials` are all runs that have a Sharpe ratio, unless given: where runs are
    much alike, fewer are independent, and so many is the cautious number.
    """
    best = moments(returns[number])
    sharpes = np.array([moments(returns[each]).sharpe for each in returns])
    sharpes = sharpes[np.isfinite(sharpes)]
    deviation = float(sharpes.std(ddof=1)) if len(sharpes) > 1 else 0.0
    expected = expected_best_sharpe(deviation, len(sharpes) if trials is None else trials)
    scale = math.sqrt(year)
    probabilities = best.probability(expected), best.probability()
    overfit = backtest_overfitting(returns.to_numpy())
    return Deflated(number, best.sharpe * scale, expected * scale, *probabilities, overfit, len(sharpes), best.days)
