"""`crawl` where no server runs: one inside the command."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.command import interrupted, started
from tests.fixtures.small_site import SmallSite, small_site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="a process group is asked whether anything is left of it"),
]


@pytest.fixture
def site() -> Iterator[SmallSite]:
    with small_site() as made:
        yield made


def alone(data_dir: Path) -> dict[str, str]:
    """Return the environment of a machine on which no server runs."""
    found = {"DATA_DIR": str(data_dir), "PORT": "0", "STORES": "memory", "BROWSER_MODE": "off"}
    return {**found, "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8", "MEDIACRAWER_URL": "", "AUTH_TOKEN": ""}


def crawl_words(site: SmallSite, pages: int) -> list[str]:
    words = [f"{site.url}/pages/0", "--max-pages", str(pages)]
    return ["crawl", *words, "-p", "obey_robots=false", "-p", "concurrency=1"]


def left_of(group: int, data_dir: Path) -> list[str]:
    """Return what is left of a command that has ended: its processes, its server.json."""
    left = [one.name for one in data_dir.glob("server.json*")]
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return left
    return [*left, f"processes of group {group}"]


def test_crawl_without_a_server_brings_its_own_and_leaves_nothing(site: SmallSite, tmp_path: Path) -> None:
    with started(*crawl_words(site, 2), "--json", **alone(tmp_path)) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        process.wait(60)

    # What the server has to say (its stores are in memory) may stand before the record and after it.
    record = json.JSONDecoder().raw_decode(said, said.index("{\n"))[0]
    assert (process.returncode, record["status"], record["books"]["stored"]) == (0, "succeeded", 2)
    assert left_of(process.pid, tmp_path) == []


def test_ctrl_c_cancels_what_runs_in_the_commands_own_server(site: SmallSite, tmp_path: Path) -> None:
    with started(*crawl_words(site, 5_000), **alone(tmp_path)) as process:
        code, said = interrupted(process)

    assert code == 130
    assert re.search(r"Cancelled in \d+\.\d ms", said)
    assert left_of(process.pid, tmp_path) == []
