from backend.runner.backlog import Backlog


def test_platform_that_was_looked_at_and_has_nothing_left_waits_no_more() -> None:
    backlog = Backlog()
    backlog.mark("web", "rss")

    backlog.settle(backlog.begin_look(), ["web"], ())

    assert list(backlog) == ["rss"]


def test_task_put_off_during_the_look_still_counts() -> None:
    backlog = Backlog()
    begun = backlog.begin_look()
    backlog.mark("web")

    backlog.settle(begun, ["web"], ())

    assert "web" in backlog


def test_platform_found_waiting_is_kept_for_the_next_look() -> None:
    backlog = Backlog()

    backlog.settle(backlog.begin_look(), ["web", "rss"], {"rss"})

    assert (list(backlog), bool(backlog)) == (["rss"], True)
