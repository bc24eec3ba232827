"""What ALGOGENE trades: the size of a contract, and the smallest step of a volume. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from feeds.algogene.answers import number, odd, rows, table, text
from feeds.algogene.protocol import Session
from framework.errors import ConfigError, nearest
from framework.wire import Exchange


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument: `contract` are the units of one lot, `step` is the smallest part of a lot."""

    symbol: str
    contract: Decimal
    step: Decimal
    market: str = ""
    product: str = ""
    currency: str = ""

    @property
    def smallest(self) -> Decimal:
        """The units of one step: what every size is a multiple of."""
        return self.contract * self.step


def step_of(body: Mapping[str, Any]) -> Decimal:
    """GUESS: a hundredth of a lot, as is usual; no answer that is known tells it."""
    return Decimal("0.01")


def listing_path() -> str:
    """GUESS: `/list_instrument`, by ALGOGENE's own package; a public test calls it `/list_all_instrument`."""
    return "/list_instrument"


def list_instruments(session: Session) -> Exchange[tuple[str, ...]]:
    """Return the names of all instruments. Raise `VenueError`."""
    body = session.answer((yield from session.price(listing_path(), {})), "the instruments")
    return session.read(lambda: tuple(_name(each) for each in rows(body)), "the instruments")


def meta_instruments(session: Session, symbols: tuple[str, ...]) -> Exchange[dict[str, Instrument]]:
    """Return what is known of each symbol. Raise `ConfigError` where one is not there, `VenueError`."""
    found: dict[str, Instrument] = {}
    for symbol in symbols:
        response = yield from session.price("/meta_instrument", {"instrument": symbol})
        body = session.answer(response, symbol)
        found |= session.read(lambda told=body: read_instruments(told), symbol)  # type: ignore[misc]
        if symbol not in found:
            raise ConfigError(f"ALGOGENE has no {symbol}{nearest(symbol, found)}; check the spelling, such as BTCUSD")
    return found


def read_instruments(body: Mapping[str, Any]) -> dict[str, Instrument]:
    """GUESS: read instruments, which are told as a list with their names in it, or by name."""
    if isinstance(body.get("res"), list):
        return {_name(each): read_instrument(_name(each), each) for each in rows(body)}
    return {symbol: read_instrument(symbol, each) for symbol, each in table(body).items()}


def read_instrument(symbol: str, body: Mapping[str, Any]) -> Instrument:
    """Read one instrument; raise `ProtocolError` where its contract has no size."""
    size = number(body, "contractSize")
    if size <= 0:
        raise odd(f"{symbol}: contractSize is {size:g}", body)
    kinds = (str(body.get(key) or "") for key in ("market", "producttype", "settleCurrency"))
    return Instrument(symbol, Decimal(repr(size)), step_of(body), *kinds)


def _name(body: Mapping[str, Any]) -> str:
    return text(body, "instrument", "symbol")
