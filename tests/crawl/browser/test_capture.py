import random

from backend.crawl.browser.capture import Answers, Captured, Listen, wanted_path
from backend.crawl.browser.options import Limits
from backend.crawl.browser.pace import Pace, point_in

SMALL = Limits(body_bytes=10, kept_bytes=25, kept_answers=3)


def answer(body: bytes) -> Captured:
    return Captured("https://a/b", "/b", "GET", 200, body)


def test_answer_is_wanted_by_method_and_end_of_path_whatever_the_host() -> None:
    listen = [Listen("POST", "/v1/search")]

    assert wanted_path("https://one.org/api/v1/search?q=1", "POST", listen) == "/api/v1/search"
    assert wanted_path("https://two.org/v1/search", "POST", listen) == "/v1/search"
    assert wanted_path("https://one.org/api/v1/search", "OPTIONS", listen) is None
    assert wanted_path("https://one.org/api/v1/search/more", "POST", listen) is None
    assert wanted_path("https://[bad/v1/search", "POST", listen) is None


def test_answers_are_given_out_in_the_order_in_which_they_came() -> None:
    answers = Answers(SMALL)
    for body in (b"1", b"2"):
        answers.add(answer(body))

    taken = [answers.take(), answers.take(), answers.take()]

    assert [one.body if one else None for one in taken] == [b"1", b"2", None]


def test_answer_too_large_is_dropped_and_counted() -> None:
    answers = Answers(SMALL)

    assert answers.add(answer(b"x" * 11)) == "too_large"
    assert (len(answers), answers.dropped) == (0, {"too_large": 1})


def test_answers_are_bounded_by_count_and_by_bytes() -> None:
    by_count, by_bytes = Answers(SMALL), Answers(SMALL)

    reasons = [by_count.add(answer(b"x")) for _ in range(4)], [by_bytes.add(answer(b"x" * 10)) for _ in range(3)]

    assert reasons == ([None, None, None, "full"], [None, None, "full"])


def test_answer_taken_makes_room() -> None:
    answers = Answers(SMALL)
    for _ in range(2):
        answers.add(answer(b"x" * 10))

    answers.take()

    assert answers.add(answer(b"x" * 10)) is None


def test_hand_turns_the_wheel_through_most_of_a_screen_in_a_persons_time() -> None:
    pace, chance = Pace(), random.Random(1)

    turns = list(pace.turns(800, chance))

    assert 0.6 * 800 <= sum(pixels for pixels, _ in turns) <= 0.95 * 800
    assert all(0 < pixels <= 180 for pixels, _ in turns)
    assert 0.1 < sum(pause for _, pause in turns) < 2


def test_hand_hits_a_thing_within_it_and_never_twice_the_same() -> None:
    chance = random.Random(1)

    points = {point_in((100, 200, 40, 20), chance) for _ in range(20)}

    assert len(points) == 20
    assert all(100 < x < 140 and 200 < y < 220 for x, y in points)
