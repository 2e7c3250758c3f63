"""What the system service is told about the server it is part of."""

import backend
from backend.composition.foundation import Foundation
from backend.domain.task import TaskStatus
from backend.generate.media import find_ffmpeg
from backend.runner.runner import Runner
from backend.services.code_version import CodeVersion
from backend.services.system_service import BrowserState, Live, RunnerState, SystemParts, SystemService


def make_system(base: Foundation, runner: Runner, *, code: CodeVersion) -> SystemService:
    """Return the service that tells of this process, its stores and its machine."""
    settings, stores = base.settings, base.stores
    is_memory = settings.stores == "memory"
    parts = SystemParts(
        database=stores.database,
        cache=stores.cache,
        runner=lambda: _runner_state(base, runner),
        live=lambda: _live(base, runner),
        find_ffmpeg=lambda: str(find_ffmpeg() or "") or None,
        browser=lambda: _browser_state(base),
        data_dir=settings.data_dir,
        is_mongodb_embedded=settings.mongodb_url is None and not is_memory,
        is_redis_embedded=settings.redis_url is None and not is_memory,
        shutdown_grace_s=settings.shutdown_grace_s,
    )
    return SystemService(parts, code, clock=base.clock, version=backend.__version__)


async def _runner_state(base: Foundation, runner: Runner) -> RunnerState:
    pending = await base.stores.tasks.count_by_status([TaskStatus.PENDING])
    return RunnerState(runner.is_beating, len(runner.live()), pending[TaskStatus.PENDING], runner.slots.total)


def _live(base: Foundation, runner: Runner) -> Live:
    connections = base.tools.gate.live()
    return Live(
        tasks=[run.task_id for run in runner.live()],
        requests=connections.requests,
        sockets=connections.sockets,
        children=base.tools.children.live(),
        part_files=base.stores.artifacts.part_files(),
    )


def _browser_state(base: Foundation) -> BrowserState:
    browsers = base.tools.browsers
    open_now = browsers.live()
    return BrowserState(browsers.availability(), open_now.tabs, open_now.browsers)
