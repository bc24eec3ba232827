"""The deflated Sharpe ratio and the probability of backtest overfitting, against their papers and plain arithmetic."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from swept import DAY, Dip

from feeds import SampleBars
from framework import sweep
from framework.errors import ConfigError
from framework.research.overfitting import (
    backtest_overfitting,
    deflated,
    expected_best_sharpe,
    moments,
    probabilistic_sharpe,
)


def noise(days: int, runs: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(0, 0.01, (days, runs)))


def test_the_probabilistic_sharpe_ratio_of_its_paper() -> None:
    """Two years of months with a Sharpe ratio of 0.458: 98.2 % where returns are normal, 91.3 % as they were (2012)."""
    assert probabilistic_sharpe(0.458, 24) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(0.458, 24, skew=-2.448, kurtosis=10.164) == pytest.approx(0.913, abs=5e-4)


def test_the_deflated_sharpe_ratio_of_its_paper() -> None:
    """2.5 a year over 1,250 days, the best of 100 whose variance is 1/2 a year: 0.1132 a day, and 0.9004 (2014)."""
    expected = expected_best_sharpe(math.sqrt(1 / 2 / 250), 100)
    assert expected == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(2.5 / math.sqrt(250), 1250, skew=-3, kurtosis=10, benchmark=expected)
    assert found == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize(("trials", "skew", "kurtosis"), [(46, -3, 10), (88, 0, 3)])
def test_how_many_trials_its_paper_allows(trials: int, skew: float, kurtosis: float) -> None:
    """46 would have left 95 % confidence, and 88 if returns had been normal (2014)."""
    benchmark = expected_best_sharpe(math.sqrt(1 / 2 / 250), trials)
    how: dict[str, float] = {"skew": skew, "kurtosis": kurtosis, "benchmark": benchmark}
    assert probabilistic_sharpe(2.5 / math.sqrt(250), 1250, **how) == pytest.approx(0.9505, abs=5e-4)


@pytest.mark.parametrize("trials", [20, 50, 500])
def test_the_best_of_many_without_skill_is_as_expected(trials: int) -> None:
    """On average, in draws."""
    draws = np.random.default_rng(1).normal(0, 0.3, (4_000, trials)).max(axis=1)
    assert expected_best_sharpe(0.3, trials) == pytest.approx(draws.mean(), rel=0.03)


def test_one_trial_is_not_deflated() -> None:
    """Nothing was chosen."""
    assert expected_best_sharpe(0.3, 1) == 0
    found = deflated(noise(100, 1, 1) + 0.001, 0, 252)
    assert found.probability == found.undeflated


def test_moments_are_those_of_another_library() -> None:
    """Kurtosis is 3 for a normal distribution."""
    returns = np.random.default_rng(3).standard_t(5, 500) / 100
    found = moments(returns)
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert found.skew == pytest.approx(scipy_stats.skew(returns))
    assert found.kurtosis == pytest.approx(scipy_stats.kurtosis(returns, fisher=False))


def plainly(values: np.ndarray[Any, Any], blocks: int) -> float:
    """Return the probability of backtest overfitting, written down as the paper's steps are."""
    pieces = np.array_split(values, blocks)
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        train = np.concatenate([pieces[at] for at in chosen])
        test = np.concatenate([pieces[at] for at in range(blocks) if at not in chosen])
        best = int(np.argmax(train.mean(0) / train.std(0, ddof=1)))
        rank = scipy_stats.rankdata(test.mean(0) / test.std(0, ddof=1))[best] / (values.shape[1] + 1)
        logits.append(math.log(rank / (1 - rank)))
    return float(np.mean(np.array(logits) <= 0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(17, 60), st.integers(2, 9), st.sampled_from([4, 6, 8]))
def test_overfitting_is_what_its_steps_give(seed: int, days: int, runs: int, blocks: int) -> None:
    """One after the other, without any matrices; also where the days cannot be divided evenly."""
    values = noise(days, runs, seed).to_numpy()
    assert backtest_overfitting(values, blocks) == pytest.approx(plainly(values, blocks))


def test_noise_is_overfitted_by_chance() -> None:
    """What was best says nothing of what will be: half of the time it is below the median."""
    found = [backtest_overfitting(noise(240, 30, seed)) for seed in range(12)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_the_best_of_noise_is_not_significant() -> None:
    """Although taken alone most of them would be."""
    found = []
    for seed in range(8):
        returns = noise(240, 40, seed)
        found.append(deflated(returns, int(np.argmax([moments(returns[at]).sharpe for at in returns])), 252))
    assert all(each.probability < 0.95 for each in found)
    assert sum(each.undeflated > 0.95 for each in found) >= 6


def test_skill_is_told_from_noise() -> None:
    """One run among many that earns is neither deflated away nor overfitted."""
    returns = noise(500, 50, 5)
    returns[7] += 0.003
    found = deflated(returns, 7, 252)
    assert found.probability > 0.99
    assert found.overfit < 0.01
    assert str(found).startswith("deflated Sharpe ratio 1.00 (a Sharpe ratio of ")


def test_runs_that_did_nothing_are_no_trials() -> None:
    """They have no Sharpe ratio, and are as good as any without one where the others lose."""
    returns = noise(100, 3, 2)
    returns[3] = 0.0
    assert deflated(returns, 0, 252).trials == 3
    returns -= 0.01
    returns[3] = 0.0
    assert backtest_overfitting(returns) < 0.01


@pytest.mark.parametrize("shape", [(100, 1), (5, 10), (0, 0)])
def test_too_little_to_tell_is_not_a_number(shape: tuple[int, int]) -> None:
    """One run is not chosen, and a few days cannot be cut."""
    assert math.isnan(backtest_overfitting(np.ones(shape)))


def test_many_runs_are_told_with_fewer_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it takes seconds, and not an hour."""
    monkeypatch.setattr("framework.research.overfitting._MOST_SHARPES", 1_000)
    values = noise(64, 20, 1).to_numpy()
    assert backtest_overfitting(values) == backtest_overfitting(values, 6)


def test_a_sweep_says_what_its_best_is_worth() -> None:
    """By whatever figure it is the best."""
    source = SampleBars("ACME", "2026-01-05", "2026-02-06", timeframe="30Min")
    found = sweep(Dip, source=source, grid={"period": range(2, 8)}, workers=1)
    best = found.deflated()
    assert best.sharpe == pytest.approx(found.table["sharpe"].max())
    assert best.number == int(found.table["sharpe"].idxmax())
    assert (best.trials, best.days) == (6, 24)
    assert 0 < best.probability < best.undeflated < 1
    assert 0 <= best.overfit <= 1
    assert found.deflated("fills", smallest=True).number == int(found.table["fills"].idxmin())
    assert found.deflated(trials=1).probability == best.undeflated


def test_a_sweep_of_a_day_says_that_it_cannot_be_told() -> None:
    """In words, not as a number."""
    said = str(sweep(Dip, source=DAY, grid={"period": [3, 4]}, workers=1).deflated("total_return"))
    assert said == "deflated Sharpe ratio: cannot be told (0 runs with a Sharpe ratio, 1 days)"


def test_a_sweep_without_a_best_has_nothing_to_deflate() -> None:
    """The reason is that of `best`."""
    with pytest.raises(ConfigError, match="no best run by sharpe: RuntimeError: unlucky"):
        sweep(Dip, source=DAY, grid={"mishap": ["init"]}, workers=1).deflated()
