"""Files of items: fetched through the real gate, from the platform's hosts only, within their limits."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import HttpGate
from backend.crawl.saved_media import MediaFetcher, MediaLimits, MediaSaver
from backend.domain.item import Item, Media
from backend.domain.task import Lease
from backend.store.artifacts import ArtifactStore
from tests.fixtures.bare_context import BareContext, crawl_task
from tests.fixtures.site import Site, SitePage

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 100
HOST = ("127.0.0.1",)


@dataclass
class Rig:
    context: BareContext
    artifacts: ArtifactStore
    gate: HttpGate

    def saver(self, *, hosts: tuple[str, ...] = HOST, limits: MediaLimits | None = None) -> MediaSaver:
        fetcher = MediaFetcher(self.gate, hosts=hosts, own_origin=None, limits=limits or MediaLimits())
        return MediaSaver(self.context, fetcher, self.artifacts)


@pytest.fixture
def rig(crawl_gate: HttpGate, database: Database, clock: Clock, tmp_path: Path) -> Rig:
    context = BareContext(crawl_task("x", "search", {}), Lease("t_1", "w", 1))
    return Rig(context, ArtifactStore(database, tmp_path, clock), crawl_gate)


def post(*media: Media) -> Item:
    return Item(
        *("t_1", "x", "post", "p/1", "https://x.example/1", None, None),
        first_seen_at=datetime(2026, 11, 22, tzinfo=UTC),
        content_hash="sha256:0",
        source="x",
        media=media,
    )


async def test_files_become_artifacts_of_their_real_type(rig: Rig, site: Site) -> None:
    site.pages |= {"/a.jpg": SitePage(PNG, content_type="image/jpeg"), "/v": SitePage(MP4, content_type=None)}
    item = post(Media("image", site.url("/a.jpg"), 3, 4), Media("video", site.url("/v")))

    saved = await rig.saver().saved(item, types={"image", "video"})

    found = [await rig.artifacts.get(str(one.artifact_id)) for one in saved.media]
    assert [one and (one.media_type, one.role, one.size_bytes) for one in found] == [
        ("image/png", "media", len(PNG)),
        ("video/mp4", "media", len(MP4)),
    ]
    assert rig.artifacts.part_files() == 0


async def test_only_the_wanted_types_are_fetched(rig: Rig, site: Site) -> None:
    site.pages["/a"] = SitePage(PNG)
    item = post(Media("image", site.url("/a")), Media("video", site.url("/v")))

    saved = await rig.saver().saved(item, types={"image"})

    assert [one.artifact_id is not None for one in saved.media] == [True, False]


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (SitePage(PNG, status=404), "HTTP_STATUS"),
        (SitePage(b"<html>log in</html>"), "CONTENT_TYPE"),
        (SitePage(MP4), "CONTENT_TYPE"),
        (SitePage(PNG * 100), "TOO_LARGE"),
    ],
)
async def test_what_cannot_be_had_is_logged_and_left_out(rig: Rig, site: Site, page: SitePage, word: str) -> None:
    site.pages["/a"] = page
    saver = rig.saver(limits=replace(MediaLimits(), image_bytes=5_000))

    saved = await saver.saved(post(Media("image", site.url("/a"))), types={"image"})

    assert saved.media[0].artifact_id is None
    assert word in rig.context.lines[0][1]
    assert (rig.artifacts.part_files(), sum(rig.context.held.values())) == (0, 0)


@pytest.mark.parametrize("hosts", [(), ("x.example",)])
async def test_other_hosts_are_never_asked(rig: Rig, site: Site, hosts: tuple[str, ...]) -> None:
    saved = await rig.saver(hosts=hosts).saved(post(Media("image", site.url("/a"))), types={"image"})

    assert (saved.media[0].artifact_id, site.asked) == (None, 0)
