"""kill -9 of a real server in the middle of a browser's page: the next start goes on to the same set."""

import sys

import pytest

from tests.fixtures.chromium import chromium
from tests.fixtures.server import NewServer
from tests.fixtures.xhs_site.thread import xhs_site_in_thread

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(autouse=True)
def io_loop() -> None:
    """No loop: the servers and the site have their own."""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_search_of_a_killed_server_ends_with_the_same_notes(new_server: NewServer) -> None:
    with xhs_site_in_thread(notes_per_keyword=45) as site:
        settings = {
            **{"XHS_BASE_URL": site.base_url, "XHS_MIN_INTERVAL_S": "0"},
            **{"BROWSER_MODE": "headless", "BROWSER_PATH": str(chromium())},
        }
        site.plan("search", "hold")
        first = new_server(settings).start()
        params = {"keywords": ["露营"], "limit": 40, "details": False}
        task_id = first.call("POST", "/tasks", {"platform": "xhs", "type": "search", "params": params})["task_id"]
        site.wait(site.holding.wait(), within_s=90)

        first.kill()
        site.release()
        second = new_server(settings).start()
        record = second.wait_for(task_id, within_s=90)

        items = second.call("GET", f"/tasks/{task_id}/items", limit="200")["items"]
        truth = [note.note_id for note in site.world.notes("露营")[:40]]
        assert (record["status"], record["books"]["balanced"]) == ("succeeded", True)
        assert sorted(item["item_id"] for item in items) == sorted(truth)
        assert (record["attempt"], site.unsigned) == (1, [])
