"""All stages in order, run one after another; and the search of the servers' logs."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx

from bench.harness.crawl_stages import CRAWL, QUEUED
from bench.harness.cuts import NotReachedError, Stage, lag_watched
from bench.harness.lab import Lab
from bench.harness.moment_stages import MOMENTS
from bench.harness.server import ServerError
from bench.harness.server_stages import FLAG, SHUTDOWN
from bench.harness.stage_plan import Section, StagePlan
from bench.harness.thread_stages import THREAD
from bench.harness.video_stages import VIDEO
from scripts.devtools.logsearch import loop_errors

SECTIONS: tuple[Section, ...] = (QUEUED, CRAWL, VIDEO, SHUTDOWN, THREAD, FLAG, MOMENTS)
# A cancel is information: never an error, never a traceback. A 503 tells a caller that the server is leaving.
_COMPLAINT = re.compile(r"\| (ERROR|CRITICAL) +\| (?!tornado\.access:log_request:\d+ \| 503 )|^Traceback ")
_LONGEST_LINE = 300


def stage_names() -> list[str]:
    """Return the names of all stages, in order."""
    return [plan.name for section in SECTIONS for plan in section.stages]


async def run_stages(
    lab: Lab, names: Sequence[str] = (), *, sections: Sequence[Section] = SECTIONS
) -> AsyncIterator[tuple[Section, Stage]]:
    """Run the stages, or those that are named, and yield each when it is done."""
    for section in sections:
        for plan in section.stages:
            # Random moments are taken where their number was given.
            is_wanted = plan.name in names or (not names and (section is not MOMENTS or lab.options.moments > 0))
            if is_wanted:
                yield section, await _run(lab, plan)


async def _run(lab: Lab, plan: StagePlan) -> Stage:
    stage = Stage(plan.name, plan.title, limit_ms=lab.options.limit_ms + plan.extra_ms)
    try:
        async with lag_watched(stage):
            await plan.run(lab, stage)
    except (NotReachedError, ServerError, httpx.HTTPError) as error:
        stage.problems.append(f"{type(error).__name__}: {error}")
        await lab.clear()
    finally:
        await lab.site.close()
    return stage


def complaints(logs: Path) -> Iterator[str]:
    """Yield what no log may hold: a closed or missing loop, an error, a traceback."""
    yield from loop_errors(logs)
    for path in sorted(logs.glob("*.log")):
        for line in path.read_text("utf-8", "replace").splitlines():
            if _COMPLAINT.search(line):
                yield f"{path.name}: {line[:_LONGEST_LINE]}"
