"""The cross of `engine.py` for backtesting.py, whose worker processes must be able to import it."""

from __future__ import annotations

import numpy as np
from backtesting import Strategy


class Peer(Strategy):  # type: ignore[misc]
    """Long 100 above the average, flat below it."""

    period = 20

    def init(self) -> None:
        whole = np.ones(self.period) / self.period
        self.sma = self.I(lambda close: np.convolve(close, whole, "full")[: len(close)], self.data.Close)

    def next(self) -> None:
        if not self.position:
            if self.data.Close[-1] > self.sma[-1] and len(self.data) > self.period:
                self.buy(size=100)
        elif self.data.Close[-1] < self.sma[-1]:
            self.position.close()
