import pytest

from backend.crawl.browser.profiles import profile_name


def test_plain_names_are_kept() -> None:
    assert profile_name("xhs", "acc_1.b") == "xhs-acc_1.b"


@pytest.mark.parametrize("name", ["me.", "..", "me.."])
def test_name_never_ends_in_a_dot_that_windows_would_drop(name: str) -> None:
    made = profile_name("xhs", name)

    assert not made.endswith(".")
    assert made != profile_name("xhs", name.rstrip("."))
