import pytest

from backend.client.events import MAX_EVENT_CHARS, Event, EventParser, EventTooLongError

FRAME = 'id: e.7\nevent: task.updated\ndata: {"task": {"title": "露营"}, "final": false}\n\n'.encode()


def test_event_that_arrives_byte_by_byte_is_whole() -> None:
    parser = EventParser()

    found = [event for byte in FRAME for event in parser.feed(bytes([byte]))]

    assert found == [Event("task.updated", {"task": {"title": "露营"}, "final": False}, "e.7")]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_standard_ends_a_line(line_end: bytes) -> None:
    # A CR alone at the very end could be half a CRLF: the next byte tells.
    found = list(EventParser().feed(FRAME.replace(b"\n", line_end) + b":"))

    assert [event.name for event in found] == ["task.updated"]


def test_frame_without_an_id_has_no_cursor() -> None:
    parser = EventParser()

    first, second = parser.feed(FRAME + b'event: task.log\ndata: {"lines": []}\n\n')

    assert (first.cursor, second.cursor) == ("e.7", None)


def test_heartbeat_is_told_and_retry_is_not() -> None:
    assert [event.name for event in EventParser().feed(b"retry: 1000\n\n: \n\n")] == ["heartbeat"]


def test_event_without_an_end_is_refused() -> None:
    parser = EventParser()

    with pytest.raises(EventTooLongError):
        list(parser.feed(b"data: " + b"x" * (MAX_EVENT_CHARS + 1)))
