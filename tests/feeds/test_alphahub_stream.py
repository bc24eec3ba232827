"""The conversation on one socket, by transcripts."""

import pytest
from alphahub_talk import DAY, Talk, broadcast, topic

from feeds.alphahub import phoenix
from feeds.alphahub.phoenix import Message
from feeds.alphahub.stream import SignalStream
from feeds.alphahub.stream_events import Heard, Joined, Left, Published, Strange
from framework.errors import ConfigError
from framework.live.stream import StreamProtocol, TimedProtocol

TRANSCRIPT = [
    (">", '["1","1","algorithms:14","phx_join",{}]'),
    (">", '["2","2","algorithms:16","phx_join",{}]'),
    ("<", '["1","1","algorithms:14","phx_reply",{"response":{},"status":"ok"}]'),
    ("<", '["2","2","algorithms:16","phx_reply",{"response":{},"status":"ok"}]'),
    (">", '[null,"3","phoenix","heartbeat",{}]'),
    ("<", '[null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]'),
    ("<", '[null,null,"algorithms:16","new_signals",{"open":[]}]'),
]


def test_transcript_of_two_algorithms():
    """Joins, their replies, a heartbeat at 15 s, a publication: each frame as it is on the wire."""
    stream: StreamProtocol = SignalStream([14, 16])
    sent, events = [*stream.opening(0.0)], []
    for way, frame in TRANSCRIPT[2:]:
        if way == "<":
            frames, told = stream.receive(frame, 16.0)
            sent, events = [*sent, *frames], [*events, *told]
        else:
            sent += stream.due(15.0)
    assert sent == [frame for way, frame in TRANSCRIPT if way == ">"]
    assert [each for each in events if not isinstance(each, Heard)] == [
        Joined("14", 16.0), Joined("16", 16.0), Published("16", '{"open":[]}', 16.0)
    ]  # fmt: skip


def test_stream_is_a_protocol_that_minds_the_time():
    """So the socket's shell carries it, and does not limit how long a join may take."""
    assert isinstance(SignalStream([16]), TimedProtocol)


@pytest.mark.parametrize(
    "frame", ["garbage", b"\x07", broadcast(), '["1","1","algorithms:16","phx_reply",{"status":"ok"}]']
)
def test_frame_is_told_as_it_came_before_what_is_made_of_it(frame):
    """Whatever it is, a journal has it first."""
    stream = SignalStream([16])
    stream.opening(0.0)
    _, events = stream.receive(frame, 4.0)
    assert events[0] == Heard(frame, 4.0)
    assert len(events) == 2


def test_publication_is_handed_on_to_the_letter():
    """Not read and written again."""
    payload = '{ "open":[ {"price":1.50} ] }'
    assert Talk().told(f'[null,null,"algorithms:16","new_signals",{payload}]') == [Published("16", payload, 0.0)]


def test_binary_publication_is_a_publication():
    """Where its data is text; where it is not, it can be recognized, and is no JSON."""
    talk = Talk()
    for data, payload in ((b'{"open":[]}', '{"open":[]}'), (b'{"\xff":1}', '{"\\xff":1}')):
        frame = phoenix.as_binary(Message(topic(16), "new_signals", data))
        assert talk.told(frame) == [Published("16", payload, 0.0)]


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        ("garbage", "cannot be read"),
        (b"\x09", "of the kind 9"),
        (broadcast(algorithm=17), "was not joined"),
        ('[null,null,"algorithms:16","old_signals",{}]', "not known"),
        ('[null,null,"phoenix","shutdown",{}]', "of the socket"),
    ],
)
def test_what_is_strange_is_told_each_time_and_costs_nothing(frame, what):
    """It may have been a signal."""
    talk = Talk()
    talk.join()
    for _ in range(2):
        [strange] = talk.told(frame)
        assert isinstance(strange, Strange)
        assert what in strange.what
    assert talk.told(broadcast())[0].algorithm == "16"


def test_event_of_a_membership_that_is_over_is_dropped():
    """With a join ref that is not the current one."""
    assert Talk().say(16, "presence", join_ref="999") == []


def test_one_algorithm_that_is_lost_costs_the_others_nothing():
    """A crash of one leaves the other joined, and the connection up."""
    talk = Talk(14, 16)
    talk.join(14)
    talk.join(16)
    [left] = talk.say(14, "phx_error")
    assert left.algorithm == "14"
    assert talk.stream.joined == ("16",)
    assert talk.silence == ""


def test_ready_is_when_every_join_had_its_answer_and_one_was_granted():
    """One that is never answered is not waited for beyond its time."""
    talk = Talk(14, 16)
    talk.join(14)
    assert not talk.stream.is_ready
    talk.wait(10.0)
    assert talk.stream.is_ready


def test_connection_on_which_nothing_is_joined_is_not_ready():
    """Until a later join is granted."""
    talk = Talk()
    talk.answer(talk.last(topic(16), "phx_join"), "error", {"reason": "unmatched topic"})
    assert not talk.stream.is_ready
    talk.wait(1.0).join()
    assert talk.stream.is_ready


def test_what_happened_without_a_frame_is_told_with_the_next():
    """A join that nobody answered, before the frame that follows it."""
    talk = Talk()
    talk.wait(10.0)
    left, published = talk.told(broadcast())
    assert (type(left), left.at, type(published)) == (Left, 10.0, Published)


def test_address_can_be_shown():
    """The token is for the connection only."""
    assert SignalStream([16]).url == "wss://alphahub.us/socket/websocket?vsn=2.0.0"
    assert SignalStream([16], "http://127.0.0.1:8000/").url == "ws://127.0.0.1:8000/socket/websocket?vsn=2.0.0"


def test_algorithms_are_ids_each_once():
    """As numbers or as texts."""
    assert SignalStream([16, "14", 16]).algorithms == ("16", "14")


@pytest.mark.parametrize(
    ("algorithms", "why"),
    [([], "is empty"), (["Minotaur"], "is no id"), ([0], "is no id"), ([-1], "is no id"), ("16", "is no list"),
     (16, "is no list"), (["016"], "is no id"), ([1.5], "is no id")],
)  # fmt: skip
def test_what_is_no_list_of_ids_is_refused(algorithms, why):
    """In one line, with what to give."""
    with pytest.raises(ConfigError, match=why) as raised:
        SignalStream(algorithms)
    assert "\n" not in str(raised.value)


def test_day_of_signals_is_one_publication():
    """The whole of a message, opens and closes."""
    [published] = Talk().told(broadcast(payload=DAY))
    assert published.payload.count("symbol") == 3
