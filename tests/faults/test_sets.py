"""Thirty tasks, two at each stage there is: one of each pair is cancelled with others, its twin goes on untouched."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from bench.harness.cuts import until, until_record
from bench.harness.lab import Lab, LabOptions
from bench.harness.server import Server
from bench.harness.vendor import NEVER_DONE
from tests.fixtures.site import Site, page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# Fifty minutes long: nobody sees its end.
FILM = {"scenes": [{"text": "很长的一幕"}] * 100, "seconds_per_scene": 30, "size": "640x360"}
PROMPT = {"prompt": "清晨的海边，一只小狗沿着沙滩奔跑"}
# At these the twin cannot end by itself soon: it must be as it was.
STAYS = {"future", "waiting", "rendering", "queued"}


@dataclass
class Pairs:
    """Ids by stage: `doomed` are cancelled, by ids, by batch or by label; `kept` are their twins."""

    doomed: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    batch_id: str = ""

    def put(self, stage: str, doomed: str, kept: str) -> None:
        self.doomed[stage], self.kept[stage] = doomed, kept


class Scene:
    """The server, a provider and a site that hold their answers, and all pairs brought to their stages."""

    def __init__(self, lab: Lab, server: Server, site: Site) -> None:
        self.lab = lab
        self.server = server
        self.site = site
        self.pairs = Pairs()
        self._mute: asyncio.Server | None = None
        self._muted: set[asyncio.StreamWriter] = set()

    async def set(self) -> None:
        await self._idle()
        await self._at_provider()
        await self._at_site()
        await self._films()
        await self._pair("claiming", "web", self._page("/quick"), type="page")

    async def close(self) -> None:
        self.let_go()
        if self._mute is not None:
            self._mute.close()
            await self._mute.wait_closed()

    def let_go(self) -> None:
        """Have everybody answer who was silent so far."""
        self.site.let_go.set()
        self.lab.vendor.release()
        self.lab.vendor.finish_all()
        for writer in self._muted:
            writer.transport.abort()

    # -- the stages ----------------------------------------------------------------------------------------------

    async def _pair(self, stage: str, platform: str, params: dict[str, Any], **more: object) -> list[str]:
        doomed, kept = [await self.server.create(platform, params, max_attempts=1, **more) for _ in range(2)]
        self.pairs.put(stage, doomed, kept)
        return [doomed, kept]

    async def _idle(self) -> None:
        params = self._page("/quick")
        await self._pair("held", "web", params, type="page", start="manual")
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        await self._pair("future", "web", params, type="page", run_at=later)
        for task_id in await self._pair("waiting", "xhs", {"keywords": ["露营"]}, type="search"):
            await until_record(self.server, task_id, lambda record: record["status"] == "waiting", "waiting")

    async def _at_provider(self) -> None:
        vendor = self.lab.vendor
        vendor.behave(is_done_at_once=True)
        vendor.misbehave_once("file", "hold", 2)
        await self._videos("downloading", vendor.downloads)
        vendor.finish_all(polls=NEVER_DONE)
        vendor.misbehave_once("poll", "hold", 2)
        await self._videos("polling", vendor.polls)
        await self._videos("sleeping", vendor.polls)
        vendor.misbehave_once("submit", "hold", 2)
        await self._videos("submitting", vendor.submits)

    async def _videos(self, stage: str, has_come: Callable[[str], int]) -> None:
        for label in ("doomed", "kept"):
            task_id = await self.server.create("cogvideox", PROMPT, max_attempts=1, labels=[label])
            getattr(self.pairs, label)[stage] = task_id
            await until(partial(has_come, task_id), stage)

    async def _at_site(self) -> None:
        self._mute = await asyncio.start_server(self._say_nothing, "127.0.0.1", 0)
        for label in ("doomed", "kept"):
            self.site.pages |= {
                f"/headers/{label}": page(hold="headers"),
                f"/body/{label}": page(hold="body"),
                f"/busy/{label}": page(statuses=(503,), headers={"Retry-After": RETRY_AFTER_S[label]}),
                f"/links/{label}": page(*(f"/links/{label}/{n}" for n in range(200))),
                **{f"/links/{label}/{n}": page(text=f"{n}") for n in range(200)},
            }
            made = await self.server.call("POST", "/tasks/bulk", {"tasks": list(self._crawls(label))})
            ids = [one["task_id"] for one in made["items"]]
            setattr(self.pairs, label, {**getattr(self.pairs, label), **dict(zip(CRAWLS, ids, strict=True))})
            if label == "doomed":
                self.pairs.batch_id = made["batch_id"]
        for label in ("doomed", "kept"):
            for path in ("headers", "body", "busy"):
                await until(partial(self.site.hits.__getitem__, f"/{path}/{label}"), path)
        await until(lambda: len(self._muted) >= 2, "connecting")

    def _crawls(self, label: str) -> Iterator[dict[str, Any]]:
        assert self._mute is not None
        mute = f"https://127.0.0.1:{self._mute.sockets[0].getsockname()[1]}/"
        for stage in CRAWLS:
            params = {"obey_robots": False, "urls": [mute if stage == "connecting" else self._url(stage, label)]}
            if stage == "links":
                params = {"obey_robots": False, "start_urls": [self._url(stage, label)], "max_pages": 100}
            kind = "site" if stage == "links" else "page"
            yield {"platform": "web", "type": kind, "params": params, "max_attempts": 1}

    async def _films(self) -> None:
        for label in ("doomed", "kept"):
            getattr(self.pairs, label)["rendering"] = await self.server.create("storyboard", FILM, labels=[label])
        for pair in (self.pairs.doomed, self.pairs.kept):
            await until_record(
                self.server, pair["rendering"], lambda record: record["progress"]["stage"] == "render", "rendering"
            )
        # Two are rendered at a time: these wait for a slot.
        for label in ("doomed", "kept"):
            getattr(self.pairs, label)["queued"] = await self.server.create("storyboard", FILM, labels=[label])

    def _url(self, stage: str, label: str) -> str:
        return self.site.url(f"/{stage}/{label}")

    def _page(self, path: str) -> dict[str, Any]:
        self.site.pages[path] = page()
        return {"urls": [self.site.url(path)], "obey_robots": False}

    async def _say_nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._muted.add(writer)
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            return
        finally:
            writer.transport.abort()


# The twin has to come back while the test still waits for it.
RETRY_AFTER_S = {"doomed": "60", "kept": "10"}
CRAWLS = ("connecting", "headers", "body", "busy", "links")


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with Lab(LabOptions(count=1)) as lab:
        site = Site()
        await site.start()
        made = Scene(lab, await lab.main(), site)
        try:
            yield made
        finally:
            await made.close()
            await lab.clear()
            await site.stop()


async def cancel_by_three_ways(scene: Scene) -> list[dict[str, int]]:
    """Cancel every doomed task, each by one of three calls made at once: its ids, its batch, its label."""
    pairs, server = scene.pairs, scene.server
    one_by_one = ",".join(pairs.doomed[stage] for stage in ("held", "future", "waiting", "claiming"))
    calls: list[Awaitable[Any]] = [
        server.call("DELETE", "/tasks", ids=one_by_one),
        server.call("DELETE", "/tasks", batch_id=pairs.batch_id),
        server.call("DELETE", "/tasks", label="doomed", status="active"),
    ]
    return list(await asyncio.gather(*calls))


async def test_half_of_thirty_tasks_at_every_stage_is_cancelled_and_the_other_half_goes_on() -> None:
    async with scene() as made:
        await made.set()
        pairs, server = made.pairs, made.server
        before = {stage: await server.record(task_id) for stage, task_id in pairs.kept.items()}

        told = await cancel_by_three_ways(made)
        made.lab.vendor.release()
        ended = {stage: await server.ended(task_id) for stage, task_id in pairs.doomed.items()}
        hits = made.site.hits.copy()
        made.let_go()
        await server.call("POST", f"/tasks/{pairs.kept['held']}/start")
        kept = {
            stage: await (server.record if stage in STAYS else server.ended)(task_id)
            for stage, task_id in pairs.kept.items()
        }

        assert len(ended) == len(kept) == 15
        own_ends = {stage for stage, one in ended.items() if one["status"] != "cancelled"}
        # These two may have come to their own end before the call reached them.
        assert own_ends <= {"claiming", "links"}
        assert all(one["books"]["balanced"] for one in ended.values())
        assert sum(one["matched"] for one in told) == sum(one["cancel"] is not None for one in ended.values())
        assert all(one["cancelled"] + one["cancelling"] == one["matched"] for one in told)
        assert {one["cancel"]["requested_by"] for one in ended.values() if one["cancel"]} == {"token"}
        assert not {stage for stage, one in kept.items() if one["cancel"] is not None}
        # Its doomed twin was rendered; with that one's slot the queued film may begin.
        assert kept["queued"]["status"] in {"pending", "running"}
        stayed = {stage: kept[stage]["status"] for stage in STAYS - {"queued"}}
        assert stayed == {stage: before[stage]["status"] for stage in stayed}
        assert {stage: one["status"] for stage, one in kept.items() if stage not in STAYS} == {
            **dict.fromkeys(set(kept) - STAYS, "succeeded"),
            "connecting": "failed",
        }
        left = set((await server.system())["live"]["tasks"])
        assert left == {pairs.kept["rendering"]} | (left & {pairs.kept["queued"]})
        doomed_paths = {path for path in hits if path.endswith("/doomed") or "/doomed/" in path}
        assert {path: made.site.hits[path] for path in doomed_paths} == {path: hits[path] for path in doomed_paths}
        assert all(made.lab.vendor.accepted(task_id) <= 1 for task_id in pairs.doomed.values())
