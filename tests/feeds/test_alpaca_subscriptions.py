"""A client's conversation with a data stream, without a socket."""

import pytest

from feeds.alpaca.plans import FREE, PAID
from feeds.alpaca.subscriptions import AUTHENTICATED, ENDPOINTS, WITH_TRADES, Conversation

IEX, SIP, TEST, CRYPTO = ENDPOINTS
LOGIN = {"action": "auth", "key": "K", "secret": "S"}


def conversation(endpoint=IEX, plan=FREE, has_slot=True, logged_in=True):
    made = Conversation(endpoint, plan, ("K", "S"), lambda: has_slot)
    if logged_in:
        assert made.receive(LOGIN) == AUTHENTICATED
    return made


def subscribe(made, **channels):
    return made.receive({"action": "subscribe", **channels})


def code(answer):
    return answer["code"], answer["msg"]


def test_answer_is_always_the_whole_set():
    """Subscribing adds, unsubscribing takes away, and every channel is in the answer."""
    made = conversation()
    subscribe(made, bars=["SPY"], quotes=["IBM"])
    answer = subscribe(made, bars=["AAPL"])
    assert (answer["T"], answer["bars"], answer["quotes"]) == ("subscription", ["AAPL", "SPY"], ["IBM"])
    answer = made.receive({"action": "unsubscribe", "bars": ["SPY"], "quotes": ["IBM"]})
    assert (answer["bars"], answer["quotes"], answer["lulds"]) == (["AAPL"], [], [])


def test_corrections_come_with_trades():
    """They are in the answer, and wanted, without being asked for."""
    made = conversation()
    answer = subscribe(made, trades=["SPY"])
    assert [answer[name] for name in WITH_TRADES] == [["SPY"], ["SPY"]]
    assert made.wants("corrections", "SPY")
    assert not made.wants("cancelErrors", "IBM")


def test_star_is_every_symbol():
    """Minute bars of all symbols are in the free plan too."""
    made = conversation()
    assert subscribe(made, bars=["*"], statuses=["*"])["bars"] == ["*"]
    assert made.wants("bars", "SPY")
    assert not made.wants("quotes", "SPY")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (None, (400, "invalid syntax")),
        ("subscribe", (400, "invalid syntax")),
        ({"action": "listen"}, (400, "invalid syntax")),
        ({"action": "subscribe", "bars": "SPY"}, (400, "invalid syntax")),
        ({"action": "subscribe", "bars": ["spy"]}, (400, "invalid syntax")),
        ({"action": "subscribe", "bars": ["BTC/USD"]}, (400, "invalid syntax")),
        ({"action": "subscribe", "bars": [1]}, (400, "invalid syntax")),
        ({"action": "subscribe", "candles": ["SPY"]}, (400, "invalid syntax")),
        ({"action": "subscribe", "orderbooks": ["SPY"]}, (410, "invalid subscribe action for this feed")),
        ({"action": "subscribe", "quotes": ["*"]}, (405, "symbol limit exceeded")),
        (LOGIN, (403, "already authenticated")),
    ],
)
def test_wrong_message_is_answered_with_its_code(message, expected):
    """Each error has Alpaca's number and words, and the connection goes on."""
    made = conversation()
    assert code(made.receive(message)) == expected
    assert subscribe(made, bars=["SPY"])["bars"] == ["SPY"]


def test_symbol_limit_leaves_the_subscriptions_as_they_were():
    """30 of trades and quotes together; the 31st is refused with all that came with it."""
    made = conversation()
    subscribe(made, trades=[f"A{n}" for n in range(20)], quotes=[f"A{n}" for n in range(10)])
    assert code(subscribe(made, quotes=["B"], bars=["B"])) == (405, "symbol limit exceeded")
    assert not made.wants("bars", "B")
    assert subscribe(conversation(plan=PAID), quotes=["*"])["quotes"] == ["*"]
    assert subscribe(conversation(CRYPTO), quotes=["*"])["quotes"] == ["*"]


def test_nobody_subscribes_before_logging_in():
    """401 until the keys are right, 402 where they are wrong."""
    made = conversation(logged_in=False)
    assert code(subscribe(made, bars=["SPY"])) == (401, "not authenticated")
    assert code(made.receive({**LOGIN, "secret": "x"})) == (402, "auth failed")
    assert made.receive(LOGIN) == AUTHENTICATED


def test_all_exchanges_are_not_in_the_free_plan():
    """409 at the login; the paid plan gets in."""
    assert code(conversation(SIP, logged_in=False).receive(LOGIN)) == (409, "insufficient subscription")
    assert conversation(SIP, PAID).is_authenticated


def test_star_stays_within_the_endpoints_kind():
    """Every stock is no pair, and every pair no stock."""
    stocks, pairs = conversation(), conversation(CRYPTO)
    for made in (stocks, pairs):
        subscribe(made, bars=["*"])
    assert [each.wants("bars", "BTC/USD") for each in (stocks, pairs)] == [False, True]
    assert [each.wants("bars", "SPY") for each in (stocks, pairs)] == [True, False]


def test_empty_list_of_another_feeds_channel_is_nothing():
    """Some clients name every channel they know."""
    assert subscribe(conversation(CRYPTO), bars=["BTC/USD"], lulds=[])["bars"] == ["BTC/USD"]


def test_without_a_slot_the_login_may_be_tried_again():
    """406, and the same message gets in once the slot is free."""
    free = []
    made = Conversation(IEX, FREE, ("K", "S"), lambda: bool(free))
    assert code(made.receive(LOGIN)) == (406, "connection limit exceeded")
    free.append(True)
    assert made.receive(LOGIN) == AUTHENTICATED


def test_each_endpoint_has_its_own_channels():
    """Crypto has order books and no halts; the test stream has three channels."""
    assert list(subscribe(conversation(CRYPTO))) == [
        "T", "trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars",
    ]  # fmt: skip
    assert list(subscribe(conversation(TEST), bars=["FAKEPACA"])) == ["T", "trades", "quotes", "bars"]
    assert code(subscribe(conversation(CRYPTO), statuses=["*"]))[0] == 410
