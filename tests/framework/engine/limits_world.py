"""A live session under limits beside a venue where anything happens: the real loop, broker and journal, no threads.

What happens is drawn step by step; `limits_model.Model` says what each order ought to meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt
from hypothesis import strategies as st
from limits_model import Known, Model

from framework.calendar import Calendar
from framework.columns import Columns, instant
from framework.engine.live import Line, LiveCerebro
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData
from framework.engine.recorder import Recorder
from framework.engine.resuming import resume
from framework.feeding import Feed
from framework.live.bridge import Bridge
from framework.live.codec import dumps, loads
from framework.live.commands import Cancel, End, Instant, Replace, Submit
from framework.live.identity import ClientOrderId
from framework.live.journal import Dated, Entry
from framework.live.limits import Limits
from framework.live.past import Past
from framework.live.records import START, Records
from framework.model import MINUTE, Bar, Fill, GroupKind, OrderRequest, OrderStatus, OrderUpdate, Side
from framework.stage import data_options

SYMBOLS = ("AAA", "BBB")
ALWAYS = Calendar("24/7")
T0 = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
CASH = 1e7


class Killed(Exception):
    """The process dies here."""


class MemoryJournal:
    """A journal without a disk; what was not committed dies with the process, as it would."""

    def __init__(self, now: Any) -> None:
        self.now = now
        self.rows: list[tuple[datetime, str, str, str]] = []

    def append_dated(self, records: list[Dated]) -> None:
        self.rows += [(at, kind, key, dumps(body)) for at, (kind, key, body) in records]

    def entries(self) -> Iterator[Entry]:
        return (Entry(seq, at, kind, key, loads(body)) for seq, (at, kind, key, body) in enumerate(self.rows, 1))


class Anything:
    """Rules of a venue that takes everything."""

    venue = "anywhere"

    def tick(self, symbol: str, price: float) -> float:
        return 0.01

    def lot(self, symbol: str) -> float:
        return 1

    def refusal(self, request: OrderRequest, **_: Any) -> str:
        return ""

    def is_for_the_day(self, request: OrderRequest) -> bool:
        return False

    def objection(self, request: OrderRequest, **_: Any) -> str:
        return ""


@dataclass
class Resting:
    """An order at the venue: what it really is. `changes` are under way."""

    name: str
    symbol: str
    buys: bool
    size: float
    group: list[str]
    kind: GroupKind
    filled: float = 0.0
    status: str = "live"
    is_waiting: bool = False
    changes: list[OrderRequest] = field(default_factory=list)

    @property
    def left(self) -> float:
        return self.size - self.filled


class World(Bridge):
    """The venue, the clock and the news; each `wait` draws what happens next."""

    def __init__(self, data: st.DataObject, limits: Limits, steps: int, *, is_calm: bool = False) -> None:
        super().__init__()
        self.data, self.limits, self.steps = data, limits, steps
        self.kinds = ["bars"] * 4 + ["fill"] * 3 + ["news"] * 3 + ["end", "change"] + ["rules", "kill"] * (not is_calm)
        self.lates = [0.0] * 5 + [120.0] * (not is_calm)
        self.at = T0
        self.prices = dict.fromkeys(SYMBOLS, 100.0)
        self.journal = MemoryJournal(lambda: self.at)
        self.model = Model(limits, dict(self.prices))
        self.book: dict[str, Resting] = {}
        self.news: list[OrderUpdate] = []
        self.runs = 0
        self.broker: LiveBroker = None
        self.is_live = False
        self.count = 0

    # -- the clock

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - T0).total_seconds()

    def seconds_until(self, at: datetime) -> float:
        return max((at - self.at).total_seconds(), 0.0)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")

    # -- what happens

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def wait(self, seconds: float | None = None) -> Any:
        if seconds == 0.0:
            return None
        self.check()
        self.steps -= 1
        if self.steps < 0:
            return End()
        return getattr(self, f"then_{self.draw(st.sampled_from(self.kinds))}")()

    def then_bars(self) -> Any:
        """A minute, with its prices; now and then it comes late, or after a night."""
        night = self.draw(st.sampled_from([0] * 9 + [1]))
        self.at += timedelta(seconds=self.draw(st.sampled_from([1, 7, 20, 60])), days=night)
        late = self.draw(st.sampled_from(self.lates))
        for symbol in SYMBOLS:
            moved = self.draw(st.sampled_from([1.0, 1.0, 1.1, 0.9, 0.7, 1.3]))
            self.prices[symbol] = round(self.prices[symbol] * moved, 2)
        end, self.at = self.at, self.at + timedelta(seconds=late)
        self._open_day(end)
        self.model.prices, self.model.age = dict(self.prices), late
        self._judge_day()
        self.is_live = True
        return Instant(end, tuple(Bar(each, end, p, p, p, p, 1.0) for each, p in self.prices.items()))

    def _open_day(self, end: datetime) -> None:
        date = (end - timedelta(microseconds=1)).date()
        if date > self.date:
            self.date, self.model.opened, self.model.is_lost = date, self.model.value, False

    def _judge_day(self) -> None:
        most = self.limits.daily_loss
        if most is not None and self.model.opened - self.model.value >= most and not self.model.is_lost:
            self.model.is_lost = self.is_just_lost = True

    def then_fill(self) -> Any:
        """Something fills at the venue, in whole or in part; the session hears of it later."""
        live = [each for each in self.book.values() if each.status == "live" and not each.is_waiting]
        if not live:
            return None
        order = self.draw(st.sampled_from(live))
        size = self.draw(st.sampled_from([order.left, max(1.0, order.left // 2)]))
        order.filled += size
        self.count += 1
        fill = Fill(f"x{self.count}", size, self.prices[order.symbol], self.at)
        is_whole = order.left <= 0
        self._say(order, OrderStatus.FILLED if is_whole else OrderStatus.PARTIALLY_FILLED, fill)
        if is_whole:
            order.status = "filled"
        self._follow(order, size)
        return None

    def _follow(self, order: Resting, size: float) -> None:
        """Do what a venue does to the others of a group."""
        others = [self.book[each] for each in order.group if each != order.name]
        is_entry = order.kind in (GroupKind.BRACKET, GroupKind.OTO) and order.group[0] == order.name
        if is_entry:
            for each in others if order.status == "filled" else ():
                each.is_waiting = False
            return
        mates = others if order.kind is GroupKind.OCO else [each for each in others if each.name != order.group[0]]
        for each in mates if order.kind is not GroupKind.LIST else ():
            each.size -= size
            if each.status == "live" and (order.status == "filled" or each.left <= 0):
                self._over(each)

    def _over(self, order: Resting) -> None:
        order.status = "ended"
        self._say(order, OrderStatus.CANCELED)
        if order.kind in (GroupKind.BRACKET, GroupKind.OTO) and order.group[0] == order.name:
            for each in order.group[1:]:
                if self.book[each].status == "live":
                    self._over(self.book[each])

    def then_end(self) -> Any:
        """A cancel that was asked for is carried out, or an order ends by itself."""
        live = [each for each in self.book.values() if each.status == "live"]
        if live:
            self._over(self.draw(st.sampled_from(live)))
        return None

    def then_change(self) -> Any:
        """A change is made, or refused in silence."""
        changing = [each for each in self.book.values() if each.status == "live" and each.changes]
        if changing:
            order = self.draw(st.sampled_from(changing))
            request = order.changes.pop(0)
            if self.draw(st.booleans()) and request.quantity > order.filled:
                order.size = request.quantity
                self.news.append(OrderUpdate(order.name, "v2", OrderStatus.NEW, self.at, replaces="v"))
        return None

    def then_rules(self) -> Any:
        """A symbol is halted or goes on; a switch is thrown."""
        symbol = self.draw(st.sampled_from(SYMBOLS))
        self.model.halted ^= {symbol}
        self.broker.halted.clear()
        self.broker.halted.update(dict.fromkeys(self.model.halted, "news"))
        self.model.barred = self.draw(st.sampled_from([False, False, False, True]))
        return None

    def then_kill(self) -> Any:
        """The process dies, and is started again, now and then on another day."""
        self.at += timedelta(days=self.draw(st.sampled_from([0, 0, 0, 1])))
        raise Killed

    def _say(self, order: Resting, status: OrderStatus, fill: Fill | None = None) -> None:
        self.news.append(OrderUpdate(order.name, "v", status, self.at, fill))

    def then_news(self) -> Any:
        """The session hears the oldest news; the model takes them in when it does."""
        if not self.news:
            return None
        update = self.news.pop(0)
        self.learn(update)
        self.model.age = 0.0  # between two bars, prices are as good as they come
        return update

    def learn(self, update: OrderUpdate) -> None:
        order = self.model.orders[update.client_order_id]
        if update.replaces and len(order.sizes) > 1:
            del order.sizes[0]
        if update.fill is not None:
            sign = order.sign * update.fill.quantity
            order.filled += update.fill.quantity
            self.model.cash -= sign * update.fill.price
            self.model.positions[order.symbol] = self.model.held(order.symbol) + sign
            self._judge_day()
        if update.status.is_final:
            order.over = "filled" if update.status is OrderStatus.FILLED else "ended"

    # -- what is asked of the venue

    def send(self, *commands: Any) -> None:
        for each in commands:
            match each:
                case Submit(group):
                    self._submitted(group)
                case Cancel(name):
                    self.model.orders[name].is_ending = True
                case Replace(name, request):
                    self.book[name].changes.append(request)

    def _submitted(self, group: Any) -> None:
        names = [each.client_order_id for each in group.orders]
        for place, each in enumerate(group.orders):
            waits = place > 0 and group.kind in (GroupKind.BRACKET, GroupKind.OTO)
            order = Resting(each.client_order_id, each.symbol, each.side is Side.BUY, each.quantity, names, group.kind)
            order.is_waiting = waits
            self.book[order.name] = order
            assert self.model.orders[order.name].entry == (names[0] if waits else "")

    # -- what must always hold

    def check(self) -> None:
        """What is known of what may come about is never less than the truth; lost days leave no entry alone."""
        for symbol in SYMBOLS:
            for buys, sign in ((True, 1), (False, -1)):
                known = self.model.far(symbol, buys, self.model.open())
                truth = self.truth(symbol, buys)
                assert sign * truth <= sign * known + 1e-6, f"{truth} is beyond {known}"
        if self.is_just_lost:
            self.is_just_lost = False
            self.check_cancelled()

    def truth(self, symbol: str, buys: bool) -> float:
        """The position when all that is live at the venue on one side has filled."""
        mine = [each for each in self.book.values() if each.symbol == symbol]
        families: dict[str, float] = {}
        for each in mine:
            if each.status == "live" and not each.is_waiting and each.buys is buys:
                most = max([each.size, *(change.quantity or 0.0 for change in each.changes)]) - each.filled
                is_alone = each.kind is GroupKind.LIST or (
                    each.kind is not GroupKind.OCO and each.name == each.group[0]
                )
                key = each.name if is_alone else each.group[0] + " exits"
                families[key] = max(families.get(key, 0.0), most)
        held = sum((1 if each.buys else -1) * each.filled for each in mine)
        return held + (1 if buys else -1) * sum(families.values())

    def check_cancelled(self) -> None:
        model = self.model
        for name, each in model.orders.items():
            entry = model.orders.get(each.entry)
            is_open = not each.over and not (entry and not entry.over)
            assert not is_open or each.is_ending or model.reduces(each, each.left), f"{name} is an entry, and stays"

    # -- runs

    def play(self, strategy: type[bt.Strategy]) -> None:
        """Run a session, and again after each time that it dies, until the steps are over."""
        self.date = (T0 - timedelta(microseconds=1)).date()
        self.is_just_lost = False
        while self.steps >= 0:
            try:
                self._run(strategy)
            except Killed:
                self._die()

    def _die(self) -> None:
        """Forget what no venue and no journal has; the news that were not journalled will be looked up."""
        self.is_live = False
        known = set(self.book)
        self.model.orders = {name: each for name, each in self.model.orders.items() if name in known}

    def _missed(self, past: Past) -> list[OrderUpdate]:
        """Return what a look-up of every order that is open by the journal brings: fills as one, then its end."""
        found = []
        self.news.clear()
        booked = past.booked()
        for intent in past.intents:
            for name in (each.client_order_id for each in intent.group.orders):
                order = self.book[name]
                more = order.filled - booked.get(name, (0.0, 0.0))[0]
                if name in past.ended or not (more or order.status != "live"):
                    continue
                status = {"filled": OrderStatus.FILLED, "ended": OrderStatus.CANCELED}.get(order.status)
                self.count += 1
                price = self.prices[order.symbol]
                fill = Fill(f"x{self.count}", more, price, self.at) if more else None
                update = OrderUpdate(name, "v", status or OrderStatus.PARTIALLY_FILLED, self.at, fill)
                found.append(update)
        return found

    def _run(self, strategy: type[bt.Strategy]) -> None:
        past = Past.of(self.journal.entries())
        self.runs += 1
        records = Records(self.journal)
        records.commit([(START, "test", {"run": self.runs, "cash": CASH})])
        cerebro = LiveCerebro(stdstats=False, quicknotify=True)
        row = [instant(self.at - timedelta(seconds=each)) for each in (2, 1, 0)]
        for symbol in SYMBOLS:
            price = [self.prices[symbol] * each for each in (0.5, 2.0, 1.0)]  # what was before is no loss
            bars = Columns.of(row, price, price, price, price, [1.0] * 3)
            feed = Feed(symbol, MINUTE, ALWAYS, bars, self.at + timedelta(microseconds=1))
            cerebro.adddata(LiveData(**data_options(feed, ALWAYS.zone), unit=MINUTE, is_made=False), name=symbol)
        self.broker = broker = LiveBroker(rules=Anything())
        broker.setcash(CASH)
        broker.connect("test", self.runs, self.send, records, self.limits, UTC)
        broker.halted.update(dict.fromkeys(self.model.halted, "news"))
        broker.refusals.append(self._barring)
        cerebro.setbroker(broker)
        cerebro.addstrategy(strategy, world=self)
        cerebro.addanalyzer(Recorder, _name="recorder")
        cerebro.line = Line(
            self, self, records, is_told=False, restore=lambda owner: self._restored(owner, cerebro.datas, past)
        )
        cerebro.run()

    def _barring(self, order: Any) -> str:
        return "no more today" if self.model.barred and not self.broker.only_reduces(order) else ""

    def _restored(self, owner: Any, datas: Any, past: Past) -> dict[str, float]:
        resume(self.broker, owner, datas, past)
        self._as_journalled(past)
        for update in self._missed(past):
            self.learn(update)
            self.broker.take(update)
        self._begin()
        return {}

    def _as_journalled(self, past: Past) -> None:
        """Let the model know what the journal knows, and no more: the rest is missed news."""
        self.model.age = 0.0
        self.model.prices = dict(self.prices)
        self.model.cash, self.model.positions, is_lost = 0.0, {}, self.model.is_lost
        for each in self.model.orders.values():
            each.filled, each.over, each.is_ending = 0.0, "", False
        for step in past.steps:
            if step.update is not None:
                saved = [list(each.sizes) for each in self.model.orders.values()]
                self.learn(step.update)
                for each, sizes in zip(self.model.orders.values(), saved, strict=True):
                    each.sizes = sizes
        self.model.is_lost = self.is_just_lost = is_lost
        for name, each in self.model.orders.items():
            versions = past.versions.get(name)
            if versions is not None:
                each.sizes = [request.quantity for request in versions.all]

    def _begin(self) -> None:
        date = (self.at - timedelta(microseconds=1)).date()
        if self.runs == 1 or date > self.date:
            self.date, self.model.opened = date, self.model.value
            self.model.is_lost = self.is_just_lost = False
        self._judge_day()


SIZES = st.sampled_from([1, 5, 10, 20, 40])
FACTORS = st.sampled_from([0.8, 0.97, 1.0, 1.03, 1.25])
TYPES = st.sampled_from([bt.Order.Market, bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit])


class Asks(bt.Strategy):
    """Asks for anything at each `next`, and compares what becomes of it with the model."""

    params = (("world", None),)

    def __init__(self) -> None:
        self.world: World = self.p.world
        self.model = self.world.model
        self.half: list[Any] = []

    def next(self) -> None:
        if not self.world.is_live:
            return
        self.act()

    def notify_order(self, order: bt.Order) -> None:
        if self.world.is_live and order.status in (order.Completed, order.Canceled):
            self.act(most=1)

    def act(self, most: int = 3) -> None:
        world = self.world
        for _ in range(world.draw(st.integers(0, most))):
            what = world.draw(
                st.sampled_from(["one"] * 3 + ["exit"] * 3 + ["bracket", "half", "oco", "cancel", "change"])
            )
            getattr(self, f"do_{what}")()

    # -- orders

    def name(self, order: Any) -> str:
        return str(ClientOrderId("test", self.world.runs, order.ref))

    def draw_one(self, symbol: str) -> dict[str, Any]:
        draw, last = self.world.draw, self.world.prices[symbol]
        kind = draw(TYPES)
        price = round(last * draw(FACTORS), 2) if kind != bt.Order.Market else None
        plimit = round(price * draw(FACTORS), 2) if kind == bt.Order.StopLimit else None
        return {"exectype": kind, "price": price, "plimit": plimit}

    def known(self, symbol: str, buys: bool, size: float, how: dict[str, Any], **more: Any) -> Known:
        kind, price = how.get("exectype"), how.get("price")
        is_limit = kind == bt.Order.Limit
        limit = price if is_limit else how.get("plimit")
        return Known(symbol, buys, [size], limit, None if is_limit else price, **more)

    def place(self, symbol: str, buys: bool, size: float, how: dict[str, Any], **more: Any) -> Any:
        data = self.datas[SYMBOLS.index(symbol)]
        return (self.buy if buys else self.sell)(data=data, size=size, **how, **more)

    def ask(self, known: Known, how: dict[str, Any], **more: Any) -> Any:
        """Send one order by itself, and see that it meets what the model says."""
        expected = self.judged(known, self.world.monotonic())
        order = self.place(known.symbol, known.buys, known.sizes[0], how, **more)
        self.compare(order, expected)
        if order.status != order.Rejected:
            self.note(self.name(order), known)
        return order

    def note(self, name: str, known: Known) -> None:
        self.model.orders[name] = known
        self.model.sent.append(self.world.monotonic())

    def compare(self, order: Any, expected: set[str]) -> None:
        reason = order.info.get("reason", "") if order.status == order.Rejected else ""
        assert bool(expected) == bool(reason), f"{expected} and {reason!r}"
        if reason:
            assert named(reason) in expected, f"{expected} and {reason!r}"

    def do_one(self) -> None:
        symbol = self.world.draw(st.sampled_from(SYMBOLS))
        how = self.draw_one(symbol)
        self.ask(self.known(symbol, self.world.draw(st.booleans()), self.world.draw(SIZES), how), how)

    def do_exit(self) -> None:
        """Close a position, or a part of it."""
        held = [each for each in SYMBOLS if self.model.held(each)]
        if held:
            symbol = self.world.draw(st.sampled_from(held))
            size, how = abs(self.model.held(symbol)), self.draw_one(symbol)
            size = self.world.draw(st.sampled_from([size, max(1, size // 2)]))
            self.ask(self.known(symbol, self.model.held(symbol) < 0, size, how), how)

    def do_oco(self) -> None:
        """Two orders of which one fills."""
        symbol, buys, size = (self.world.draw(each) for each in (st.sampled_from(SYMBOLS), st.booleans(), SIZES))
        hows = [self.draw_one(symbol), self.draw_one(symbol)]
        first = self.ask(self.known(symbol, buys, size, hows[0]), hows[0])
        if first.status == first.Rejected:
            return
        mates = (self.name(first), "the second")
        second = self.known(symbol, buys, size, hows[1], mates=mates)
        self.model.orders[mates[0]].mates = mates
        order = self.ask(second, hows[1], oco=first)
        if order.status == order.Rejected:
            self.model.orders[mates[0]].mates = ()
        else:
            second.mates = self.model.orders[mates[0]].mates = (mates[0], self.name(order))

    def do_bracket(self) -> None:
        symbol, buys, size = (self.world.draw(each) for each in (st.sampled_from(SYMBOLS), st.booleans(), SIZES))
        self.bracket(symbol, buys, size)

    def do_half(self) -> None:
        """The entry of a bracket now, its exits at some other time."""
        if self.half:
            self.bracket(*self.half.pop())
            return
        symbol, buys, size = (self.world.draw(each) for each in (st.sampled_from(SYMBOLS), st.booleans(), SIZES))
        how = self.draw_one(symbol)
        expected = self.judged(self.known(symbol, buys, size, how), self.world.monotonic())
        parent = self.place(symbol, buys, size, how, transmit=False)
        self.compare(parent, expected)
        if not expected:
            self.half.append((symbol, buys, size, how, parent))

    def bracket(self, symbol: str, buys: bool, size: float, how: Any = None, parent: Any = None) -> None:
        draw, now = self.world.draw, self.world.monotonic()
        how, given = how or self.draw_one(symbol), parent is not None
        entry = self.known(symbol, buys, size, how)
        expected = self.judged(entry, now)
        parent = parent or self.place(symbol, buys, size, how, transmit=False)
        self.compare(parent, set() if given else expected)
        if parent.status == parent.Rejected:
            return
        exits = [draw(st.sampled_from([size, size, size + 10])) for _ in range(draw(st.integers(1, 2)))]
        children = []
        for place, each in enumerate(exits):
            level = self.draw_one(symbol)
            child = self.known(symbol, not buys, each, level, entry="the entry")
            is_last = place == len(exits) - 1
            expected = self.expected_of_child(child, entry, now, place + 1)
            if is_last and not expected:
                expected = self.judged(entry, now)
            order = self.place(symbol, not buys, each, level, parent=parent, transmit=is_last)
            self.compare(order, expected)
            children.append((order, child))
            if order.status == order.Rejected:
                assert parent.status == parent.Rejected
                return
        names = tuple(self.name(order) for order, _ in children)
        self.note(self.name(parent), entry)
        for (_, child), name in zip(children, names, strict=True):
            child.entry, child.mates = self.name(parent), names if len(names) > 1 else ()
            self.note(name, child)

    def expected_of_child(self, child: Known, entry: Known, now: float, gathered: int) -> set[str]:
        """What an exit meets that waits: the count, the collar, and all of it where it is larger than its entry."""
        model = self.model
        if child.sizes[0] <= entry.sizes[0]:
            barred = {"barred"} if model.barred and not model.reduces(child, child.sizes[0]) else set()
            return barred | model.crowded(now, gathered, len(model.open())) | model.collared(child)
        if model.reduces(child, child.sizes[0]):
            turns = model.turns_round(child, child.sizes[0] - entry.sizes[0])
            return model.collared(child) | ({"position_value"} if turns else set())
        opens = model.beyond(child, now, gathered) - {"position_value"}
        if model.limits.position_value is not None:
            excess = replace(child, sizes=[child.sizes[0] - entry.sizes[0]], entry="")
            size = abs(model.far(child.symbol, child.buys, [*model.open(), excess]))
            level = max(model.prices[child.symbol], child.price or 0, child.stop or 0)
            if size * level > model.limits.position_value + 1e-6:
                opens.add("position_value")
        return opens

    def judged(self, order: Known, now: float) -> set[str]:
        model, size = self.model, order.sizes[0]
        if model.reduces(order, size):
            return model.collared(order) | ({"position_value"} if model.turns_round(order, size) else set())
        return model.beyond(order, now)

    # -- orders that are open

    def pick(self) -> tuple[str, Any] | None:
        ids = self.world.broker.open_ids
        return self.world.draw(st.sampled_from(sorted(ids.items(), key=lambda each: each[1].ref))) if ids else None

    def do_cancel(self) -> None:
        """Cancels pass everything."""
        if (found := self.pick()) is not None:
            assert self.world.broker.cancel(found[1])
            assert self.model.orders[found[0]].is_ending

    def do_change(self) -> None:
        """An order is made larger or smaller, dearer or cheaper; where that is too much it stays as it is."""
        if (found := self.pick()) is None:
            return
        name, order = found
        known, asked = self.model.orders[name], self.world.book[name].changes
        before, size = len(asked), float(self.world.draw(SIZES))
        self.world.broker.replace(order, size=size)
        if len(asked) > before:
            self.check_change(name, size)
            known.sizes.append(size)
            known.is_changed = True
            self.model.sent.append(self.world.monotonic())
        elif not self.model.collared(known):
            rest, left = replace(known, sizes=[size]), size - known.filled
            gone = sum(each.filled for each in self.model.mates(known) if each is not known)
            is_smaller = size <= min(known.sizes) - gone
            waiting = [each for each in self.model.open() if each.entry == name]
            assert not is_smaller or any(max(each.sizes) > size for each in waiting)
            del self.model.orders[name]
            assert is_smaller or not self.model.reduces(rest, left) or self.model.turns_round(rest, left)
            self.model.orders[name] = known

    def check_change(self, name: str, size: float) -> None:
        """What was let through leaves the table within the limits, where it made an entry larger."""
        model, known = self.model, self.model.orders[name]
        left = size - known.filled
        gone = sum(each.filled for each in model.mates(known) if each is not known)
        if left <= 0 or size <= min(known.sizes) - gone or model.reduces(known, left) or model.waits_for(known) >= size:
            return
        changed = replace(known, sizes=[left], filled=0.0, is_changed=True)
        others = {each: order for each, order in model.orders.items() if each != name}
        was, model.orders = model.orders, others
        try:
            found = model.beyond(changed, self.world.monotonic())
        finally:
            model.orders = was
        assert not found, found


def named(reason: str) -> str:
    """Which limit a refusal is about."""
    if reason.startswith("limit "):
        return reason.split(":")[0].removeprefix("limit ")
    return "halted" if "is halted" in reason else "barred"
