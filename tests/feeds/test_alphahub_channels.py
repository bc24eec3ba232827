"""One channel and one heart: what is sent by when, and what answers mean."""

import pytest
from alphahub_talk import Talk, topic

from feeds.alphahub.stream_events import Joined, Left, Published, Strange


def test_join_is_sent_at_once_with_a_ref_of_its_own():
    """One for each algorithm; the join's ref is the membership's too."""
    talk = Talk(14, 16)
    joins = [each for _, each in talk.sent]
    assert [(each.topic, each.event) for each in joins] == [(topic(14), "phx_join"), (topic(16), "phx_join")]
    assert all(each.ref == each.join_ref for each in joins)
    assert joins[0].ref != joins[1].ref


def test_granted_join_is_told():
    """By the reply to its own ref."""
    talk = Talk()
    assert talk.answer(talk.last(topic(16), "phx_join")) == [Joined("16", 0.0)]
    assert talk.stream.joined == ("16",)


def test_unanswered_join_is_left_and_sent_again():
    """After 10 s, and then in 1, 2, 5 and 10 s; each is told."""
    talk = Talk().wait(100.0)
    assert talk.times("phx_join") == [0.0, 11.0, 23.0, 38.0, 58.0, 78.0, 98.0]
    assert talk.times("phx_leave") == [10.0, 21.0, 33.0, 48.0, 68.0, 88.0]
    leave = talk.last(topic(16), "phx_leave")
    assert leave.join_ref is not None
    assert leave.ref != leave.join_ref


def test_late_answer_to_a_join_that_was_left_is_dropped():
    """The membership was ended: only the next join counts."""
    talk = Talk()
    first = talk.last(topic(16), "phx_join")
    talk.wait(10.5)
    [left] = talk.answer(first)
    assert left == Left("16", 10.0, "no answer to the join in 10 s", 1.0)
    assert talk.stream.joined == ()


@pytest.mark.parametrize(
    ("event", "payload", "is_alarm"),
    [("phx_error", {}, False), ("phx_error", {"reason": "channel_crash"}, False), ("phx_close", {}, True)],
)
@pytest.mark.parametrize("has_ref", [True, False])
def test_channel_that_ends_is_joined_again(event, payload, is_alarm, has_ref):
    """A crash, and a close that nobody asked for, which is an alarm; the refs may be there or not."""
    talk = Talk()
    ref = talk.join().ref if talk.stream.joined == () else None
    [left] = talk.say(16, event, payload, join_ref=ref if has_ref else None)
    assert (left.again_in, left.is_alarm) == (1.0, is_alarm)
    talk.wait(1.0)
    assert talk.times("phx_join") == [0.0, 1.0]


def test_channel_that_crashes_again_and_again_waits_longer():
    """1, 2, 5, 10 and 10 s, though each join is granted at once."""
    talk = Talk()
    waits = []
    for _ in range(5):
        talk.join()
        waits += [each.again_in for each in talk.say(16, "phx_error")]
        talk.wait(talk.now + waits[-1])
    assert waits == [1.0, 2.0, 5.0, 10.0, 10.0]


def test_membership_that_lasted_makes_the_next_wait_a_first_one():
    """Half a minute is enough."""
    talk = Talk()
    talk.join()
    talk.say(16, "phx_error")
    talk.wait(1.0).join()
    talk.wait(31.0)
    assert [each.again_in for each in talk.say(16, "phx_error")] == [1.0]


@pytest.mark.parametrize("reason", ["unmatched topic", "too many channels joined", "join crashed"])
def test_refused_join_is_an_alarm_with_its_reason(reason):
    """It is asked for again, for a subscription may be bought; the other algorithm is not touched."""
    talk = Talk(16, 99)
    talk.join(16)
    [left] = talk.answer(talk.last(topic(99), "phx_join"), "error", {"reason": reason})
    assert left == Left("99", 0.0, f"the join was refused: {reason}", 1.0, is_alarm=True)
    assert talk.stream.joined == ("16",)
    assert talk.stream.is_ready


def test_stale_close_of_the_last_membership_is_dropped():
    """After a second join of a topic the server closes the first: it does not end the second."""
    talk = Talk()
    first = talk.join()
    talk.say(16, "phx_error", join_ref=first.ref)
    talk.wait(1.0).join()
    assert talk.say(16, "phx_close", ref=first.ref, join_ref=first.ref) == []
    assert talk.stream.joined == ("16",)


def test_stale_close_does_not_end_a_join_under_way():
    """Neither with the old ref nor with none."""
    talk = Talk()
    first = talk.join()
    talk.say(16, "phx_error")
    talk.wait(1.0)
    assert talk.say(16, "phx_close", join_ref=first.ref) == talk.say(16, "phx_close") == []
    assert talk.answer(talk.last(topic(16), "phx_join")) == [Joined("16", 1.0)]


def test_second_end_of_a_membership_is_none():
    """A crash and its close are one loss, and one join follows."""
    talk = Talk()
    talk.join()
    assert len(talk.say(16, "phx_error")) == 1
    assert talk.say(16, "phx_close") == talk.say(16, "phx_error") == []
    talk.wait(10.0)
    assert talk.times("phx_join") == [0.0, 1.0]


def test_reply_with_another_ref_grants_nothing():
    """Neither a foreign one nor none."""
    talk = Talk()
    join = talk.last(topic(16), "phx_join")
    for ref in (None, "999"):
        talk.say(16, "phx_reply", {"status": "ok", "response": {}}, ref=ref, join_ref=join.join_ref)
    assert talk.stream.joined == ()


def test_reply_that_cannot_be_read_is_strange_and_the_join_runs_out():
    """A status that is neither ok nor error."""
    talk = Talk()
    [strange] = talk.answer(talk.last(topic(16), "phx_join"), "perhaps")
    assert isinstance(strange, Strange)
    talk.wait(11.0)
    assert talk.times("phx_join") == [0.0, 11.0]


def test_heart_beats_every_15_seconds_with_a_new_ref():
    """As long as each beat is answered."""
    talk = Talk()
    talk.join()
    talk.wait(60.0)
    beats = [each for _, each in talk.sent if each.event == "heartbeat"]
    assert talk.times("heartbeat") == [15.0, 30.0, 45.0, 60.0]
    assert len({each.ref for each in beats}) == 4
    assert all(each.topic == "phoenix" and each.join_ref is None for each in beats)
    assert talk.silence == ""


def test_unanswered_heartbeat_loses_the_line_when_the_next_is_due():
    """A half-open connection is found out in half a minute, whatever pongs come."""
    talk = Talk()
    talk.join()
    talk.wait(29.9, is_answering=False)
    talk.stream.heard(29.9)
    assert talk.silence == ""
    talk.wait(30.0, is_answering=False)
    assert "heartbeat" in talk.silence
    assert talk.times("heartbeat") == [15.0]
    assert talk.stream.deadline() is None


@pytest.mark.parametrize("ref", [None, "999"])
def test_answer_to_another_heartbeat_does_not_count(ref):
    """A reply without our ref may be to anything."""
    talk = Talk()
    talk.join()
    talk.wait(15.0, is_answering=False)
    [strange] = talk.told(f'[null,{"null" if ref is None else ref},"phoenix","phx_reply",{{"status":"ok"}}]')
    assert isinstance(strange, Strange)
    talk.wait(30.0, is_answering=False)
    assert talk.silence


def test_next_connection_begins_anew():
    """Joins at once, a fresh heart, and refs that were never used before."""
    talk = Talk()
    talk.join()
    talk.wait(30.0, is_answering=False)
    before = {each.ref for _, each in talk.sent}
    talk.reconnect()
    assert talk.silence == ""
    assert talk.last(topic(16), "phx_join").ref not in before
    assert not talk.stream.is_ready
    assert talk.stream.deadline() == 40.0


def test_what_is_published_is_handed_on_however_the_channel_stands():
    """Joining, joined, waiting, or by a membership that is over: it comes twice rather than never."""
    talk = Talk()
    heard = [talk.say(16, "new_signals", {"open": []})]
    talk.join()
    heard.append(talk.say(16, "new_signals", {"open": []}))
    talk.say(16, "phx_error")
    heard.append(talk.say(16, "new_signals", {"open": []}, join_ref="1"))
    assert heard == [[Published("16", '{"open": []}', 0.0)]] * 3
