"""Every client is sent what is in its own list, all of it, in order, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.alpaca.proxy.frames import Codec, Message
from feeds.alpaca.proxy.routes import CHANNELS, Routes
from feeds.alpaca.wants import Channels

SYMBOLS = ("SPY", "IBM", "BAC")
LISTS = st.dictionaries(
    st.sampled_from(("bars", "quotes", "trades", "updatedBars")),
    st.frozensets(st.sampled_from((*SYMBOLS, "*")), min_size=1, max_size=3),
)
FRAMES = st.lists(st.tuples(st.sampled_from("tqbucxz"), st.sampled_from(SYMBOLS)), max_size=12)


def sent(routes: Routes[str], messages: list[Message]) -> dict[str, list[Message]]:
    """Return what each client is sent; nobody is sent two frames for one."""
    found: dict[str, list[Message]] = {}
    for audience, batch in routes.spread(messages):
        for client in audience:
            assert client not in found
            found[client] = list(batch.messages)
    return found


def is_in(own: Channels, message: Message) -> bool:
    symbols = own.get(CHANNELS.get(message.kind, ""), frozenset())
    return message.symbol in symbols or "*" in symbols


@given(st.lists(st.tuples(st.sampled_from("abcd"), LISTS, FRAMES)))
def test_no_message_reaches_who_did_not_ask_and_none_is_left_out(
    steps: list[tuple[str, Channels, list[tuple[str, str]]]],
) -> None:
    """Whatever the lists are, and however they change between two frames."""
    routes: Routes[str] = Routes()
    lists: dict[str, Channels] = {}
    for client, own, frame in steps:
        routes.put(client, own)
        lists[client] = own
        messages = [Message(kind, symbol, b"", Codec.JSON) for kind, symbol in frame]
        wanted = {name: [each for each in messages if is_in(own, each)] for name, own in lists.items()}
        assert sent(routes, messages) == {name: each for name, each in wanted.items() if each}


def test_corrections_and_cancels_come_with_trades() -> None:
    """They cannot be asked for, and who has trades has them."""
    routes: Routes[str] = Routes()
    routes.put("a", {"trades": frozenset({"SPY"})})
    routes.put("b", {"quotes": frozenset({"SPY"})})
    assert [routes.audience(kind, "SPY") for kind in "tcxq"] == [("a",), ("a",), ("a",), ("b",)]


def test_clients_that_want_the_same_share_one_frame() -> None:
    """It is put together once, however many they are."""
    routes: Routes[str] = Routes()
    for client in "abc":
        routes.put(client, {"bars": frozenset({"*"} if client == "a" else {"SPY", "IBM"})})
    [(audience, batch)] = routes.spread([Message.of({"T": "b", "S": name}) for name in ("SPY", "IBM")])
    assert audience == ("a", "b", "c")
    assert [each.symbol for each in batch.messages] == ["SPY", "IBM"]
