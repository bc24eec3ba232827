"""The account that a proxy serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from feeds.alpaca.waits import Waits
from framework.config import Credentials


@dataclass(frozen=True, slots=True)
class Account:
    """Whose data they are and where from. `limit` is how many quotes and trades the plan has (0: any)."""

    credentials: Credentials
    base_url: str
    limit: int = 0
    waits: Waits = field(default_factory=Waits)
