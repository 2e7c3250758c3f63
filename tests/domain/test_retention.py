import pytest

from backend.core.settings import SettingsError, load_settings
from backend.domain.retention import RetentionRule, assigned, read_rule


def rules(text: str) -> tuple[RetentionRule, ...]:
    return load_settings({"RETENTION_DAYS": text}, None).retention_days


def test_nothing_is_purged_unless_a_rule_says_so() -> None:
    assert load_settings({}, None).retention_days == ()


def test_rules_are_read_and_shown_as_they_are_written() -> None:
    found = rules("all.cancelled=7, crawl.failed = 30")

    assert [str(rule) for rule in found] == ["all.cancelled=7", "crawl.failed=30"]


@pytest.mark.parametrize(
    "text",
    [
        *("30", "crawl=30", "crawl.failed", "crawl.failed=0", "crawl.failed=-1", "crawl.failed=1.5"),
        *("crawl.failed=99999", "crawl.running=7", "video.failed=7", "crawl.failed=7, crawl.failed=8", "all.all=७"),
    ],
)
def test_rule_that_cannot_be_read_stops_the_start_and_names_the_setting(text: str) -> None:
    with pytest.raises(SettingsError, match="RETENTION_DAYS"):
        rules(text)


def test_closest_rule_decides_and_of_two_as_close_the_one_that_keeps_longer() -> None:
    everything, crawls, failed, exact = map(
        read_rule, ("all.all=1000", "crawl.all=30", "all.failed=90", "crawl.cancelled=7")
    )

    found = assigned((everything, crawls, failed, exact))

    assert found[exact] == [("crawl", "cancelled")]
    assert set(found[failed]) == {("crawl", "failed"), ("generate", "failed")}
    assert ("crawl", "succeeded") in found[crawls]
    assert ("generate", "succeeded") in found[everything]
    assert sum(map(len, found.values())) == 10
