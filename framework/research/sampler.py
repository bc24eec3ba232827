"""Which parameters to try next, of Optuna's tree-structured Parzen estimator. An extra: `switchback[search]`.

Bergstra and others 2011, "Algorithms for Hyper-Parameter Optimization" (NIPS 24).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from framework.errors import ConfigError
from framework.research.grid import Parameters
from framework.research.space import Choice, Dimension, Real, Space

_BROKEN = "broken"


class Sampler:
    """Proposes parameter sets. The same seed, asked and told the same in the same order, proposes the same."""

    def __init__(self, space: Space, smallest: Sequence[bool], seed: int) -> None:
        optuna = _optuna()
        self._failed = optuna.trial.TrialState.FAIL
        self._space = space
        self._asked = {name: _distribution(optuna, each) for name, each in space.dimensions.items()}
        with _quiet(optuna):
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, constraints_func=lambda each: each.user_attrs[_BROKEN]
            )
            directions = ["minimize" if each else "maximize" for each in smallest]
            self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._optuna = optuna

    def ask(self) -> tuple[Any, Parameters]:
        """Return what to tell of, and a parameter set to try."""
        with _quiet(self._optuna):
            trial = self._study.ask(self._asked)
        kinds = self._space.dimensions
        return trial, {name: _value(kinds[name], each) for name, each in trial.params.items()}

    def tell(self, trial: Any, values: Sequence[float] | None, met: Sequence[bool] = ()) -> None:
        """Say what came of it, and which conditions were met; None where nothing did."""
        with _quiet(self._optuna):
            if values is None:
                self._study.tell(trial, state=self._failed)
                return
            trial.set_user_attr(_BROKEN, [0.0 if each else 1.0 for each in met])
            self._study.tell(trial, list(values))


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ConfigError('search needs Optuna; type: pip install "switchback[search]"') from None
    found: ModuleType = optuna
    return found


@contextlib.contextmanager
def _quiet(optuna: ModuleType) -> Iterator[None]:
    """Have Optuna keep to itself what it logs, and warns of as new or on its way out."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(optuna: Any, each: Dimension) -> Any:
    kinds = optuna.distributions
    if isinstance(each, Choice):
        return kinds.CategoricalDistribution(range(each.count))
    if isinstance(each, Real):
        return kinds.FloatDistribution(each.low, each.high, log=each.is_log)
    return kinds.IntDistribution(each.among[0], each.among[-1], log=each.is_log, step=each.among.step)


def _value(each: Dimension, told: Any) -> Any:
    return each.among[told] if isinstance(each, Choice) else told
