import pytest

from backend.crawl.counts import count_of


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("0", 0),
        ("27", 27),
        (1_234, 1_234),
        ("1,234", 1_234),
        ("2.7万", 27_000),
        ("2.7 万", 27_000),
        ("1.2k", 1_200),
        ("1.2K", 1_200),
        ("10w+", 100_000),
        ("10万+", 100_000),
        ("999+", 999),
        ("1.5亿", 150_000_000),
        ("３.５万", 35_000),
        ("1.1万", 11_000),
        ("0.29万", 2_900),
        ("赞", 0),
        ("评论", 0),
        ("", 0),
    ],
)
def test_shown_count_is_an_integer(shown: object, meant: int) -> None:
    assert count_of(shown) == meant


@pytest.mark.parametrize(
    "shown", [None, "很多", "-3", -3, "1e9", "1.2.3", "万", True, 2**63, "9" * 30, "99999999999999亿"]
)
def test_what_says_no_number_is_none(shown: object) -> None:
    assert count_of(shown) is None
