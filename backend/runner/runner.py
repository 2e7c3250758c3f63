"""The registry of this process's runs: takes pending tasks, one run a task, and lets them go."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from loguru import logger

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.crash_points import crash_point
from backend.core.database import Database
from backend.domain.errors import LeaseLostError, StoreUnavailableError
from backend.domain.execution import Executor
from backend.domain.task import CancelRecord, Lease, StopReason, Task, TaskKind
from backend.runner.backlog import Backlog
from backend.runner.bridge import ThreadPool
from backend.runner.cancellation import CancelFlags
from backend.runner.edge import Edge
from backend.runner.ending import EndRecorder
from backend.runner.lease import LeaseKeeper
from backend.runner.person import PersonDesk
from backend.runner.progress import ProgressBoard
from backend.runner.run import Run
from backend.runner.shared_slots import SharedSlots
from backend.runner.slot_hold import SlotHold
from backend.runner.slots import Slots
from backend.runner.supervisor import Supervisor
from backend.store.challenges import ChallengeStore
from backend.store.events import EventStore
from backend.store.tasks import TaskStore

_ABANDON_S = 6.0
# The share of a lease after which a claim needs a beat of its own: the common one comes each third.
_OLD_CLAIM = 1 / 6


@dataclass(frozen=True, slots=True)
class RunnerStores:
    """What the runner reads and writes."""

    database: Database
    cache: Cache
    tasks: TaskStore
    events: EventStore
    challenges: ChallengeStore


class Runner:
    """Runs tasks of this process start, named by `worker_id` (instance id + boot nonce, never a host name)."""

    def __init__(
        self,
        stores: RunnerStores,
        executors: Mapping[TaskKind, Executor],
        slots: Slots,
        *,
        clock: Clock,
        worker_id: str,
        lease_s: float,
        use_threads: bool = False,
        chance: random.Random | None = None,
        shared: SharedSlots | None = None,
    ) -> None:
        self.slots = slots
        self.backlog = Backlog()
        self.is_draining = False
        self._stores = stores
        self._clock = clock
        self._runs: dict[str, Run] = {}
        self._abandons: set[asyncio.Task[bool]] = set()
        self._edge = Edge()
        self._shared = shared
        self._on_slot_free: Callable[[], None] = lambda: None
        self._on_put_off: Callable[[], None] = lambda: None
        self._threads = ThreadPool() if use_threads else None
        tasks = stores.tasks
        self.keeper = LeaseKeeper(tasks, stores.database, clock=clock, worker_id=worker_id, lease_s=lease_s)
        self.flags = CancelFlags(stores.cache, runs=self._runs)
        self._board = ProgressBoard(tasks, stores.events, clock=clock, live=self.live)
        desk = PersonDesk(stores.challenges)
        recorder = EndRecorder(tasks, desk, clock=clock, chance=chance or random.Random())  # noqa: S311 - jitter
        self._supervisor = Supervisor(
            *(tasks, executors, self.keeper, self._board, recorder), desk=desk, clock=clock, threads=self._threads
        )

    async def start(self) -> None:
        """Start the beat, the board, and the mirror of the cancel flags (confirmed before the first claim)."""
        await self.keeper.start()
        await self._board.start()
        await self.flags.start()
        if self._shared is not None:
            self._shared.when_freed(self._reopen)
            await self._shared.start()

    async def stop(self) -> None:
        """Stop what `start` started, in reverse; a run that is still there keeps its lease."""
        if self._abandons and not self.is_draining:
            # A drain has waited for them already, for as long as it may.
            await asyncio.wait(self._abandons, timeout=_ABANDON_S)
        if self._shared is not None:
            await self._shared.stop()
        await self.flags.stop()
        await self._board.stop()
        await self.keeper.stop()
        if self._threads is not None:
            self._threads.stop()

    def when_slot_frees(self, call: Callable[[], None]) -> None:
        """Have `call` called each time a slot was given back."""
        self._on_slot_free = call

    def when_put_off(self, call: Callable[[], None]) -> None:
        """Have `call` called when there is something for other servers: a task put off here, or a slot given back."""
        self._on_put_off = call

    @property
    def has_backlog(self) -> bool:
        """Whether due tasks are known to wait for a slot here; set it to note that some of any platform do."""
        return bool(self.backlog)

    @has_backlog.setter
    def has_backlog(self, value: bool) -> None:
        if value:
            self.backlog.mark(*self.slots.platforms)
        else:
            self.backlog.clear()

    @property
    def could_start_waiting(self) -> bool:
        """Whether a task that is known to wait could take a slot now."""
        return any(self.slots.has_free(platform) for platform in self.backlog)

    def put_off(self, task: Task) -> None:
        """Leave a due task to the sweepers: this server's, and those of others that have room."""
        self.backlog.mark(task.platform)
        self._on_put_off()

    @property
    def is_beating(self) -> bool:
        """Whether the leases of this process are kept alive."""
        return self.keeper.is_beating

    def live(self) -> Sequence[Run]:
        """Return the runs of this process."""
        return list(self._runs.values())

    def run_of(self, task_id: str) -> Run | None:
        """Return the run of this task in this process, or None."""
        return self._runs.get(task_id)

    def is_live(self, task_id: str) -> bool:
        """Whether a run of this task is in this process."""
        return task_id in self._runs

    def may_start(self, task: Task) -> bool:
        """Whether to schedule this new task at once: a slot is free and nothing older waits."""
        return not self.is_draining and task.platform not in self.backlog and self.slots.has_free(task.platform)

    def stop_run(self, task_id: str, reason: StopReason, *, cancel: CancelRecord | None = None) -> bool:
        """Stop a run of this process; False when there is none. `cancel` is who asked, where that is known."""
        run = self._runs.get(task_id)
        if run is not None:
            if cancel is not None:
                # Its end need not read it first.
                run.task = replace(run.task, cancel=cancel)
            run.stop(reason)
        return run is not None

    async def drain(self, *, grace_s: float) -> int:
        """Claim no more, stop all runs with reason shutdown and wait; return how many did not end in time."""
        self.is_draining = True
        for run in self.live():
            run.stop(StopReason.SHUTDOWN)
        ended = [run.ended.wait() for run in self.live()]
        try:
            async with asyncio.timeout(grace_s):
                await asyncio.gather(*ended)
        except TimeoutError:
            logger.warning("{} runs did not end within the grace; their leases will run out", len(self._runs))
        return len(self._runs)

    @asynccontextmanager
    async def attempt(self, task: Task) -> AsyncIterator["Attempt | None"]:
        """Register a run of this task and claim it; yield None when it is not to be had.

        The run is registered before any await, so a duplicate finds it and leaves. A process that does not beat
        claims nothing: its runs would all be lost.
        """
        if self.is_draining or not self.is_beating or self.is_live(task.task_id):
            yield None
            return
        slot = SlotHold(task, self.slots, self._shared, when_free=self._slot_freed)
        if not slot.take():
            self.backlog.mark(task.platform)
            yield None
            return
        run = self._register(task)
        run.slot = slot
        try:
            has_slot = await slot.share()
            if not has_slot:
                self.backlog.mark(task.platform)
            yield Attempt(self._supervisor, run) if has_slot and await self._claim(run) else None
        finally:
            self._let_go(run)
            slot.give_back()
            if run.reason is StopReason.SHUTDOWN:
                self._on_put_off()

    def _slot_freed(self) -> None:
        self._on_slot_free()

    def _reopen(self) -> None:
        """Look again at what was shut: a slot that all servers share has come free."""
        self.slots.reopen()
        self._on_slot_free()
        self._on_put_off()

    async def abandon(self, task: Task) -> None:
        """Take over a cancelling task whose upstream job nobody watches: ask for its cancel, then end the task."""
        if not self.is_draining and not self.is_live(task.task_id):
            await self._abandon(self._register(task), even_if_alive=False)

    def start_abandon(self, task: Task, *, even_if_alive: bool = False) -> None:
        """Do the same in a task of its own: the provider may take 5 s, and no stop of a caller may cut the asking."""
        live = self._runs.get(task.task_id)
        if self.is_draining or (live is not None and live.lease is not None):
            return
        if live is None:
            asking = self._abandon(self._register(task), even_if_alive=even_if_alive)
        else:
            asking = self._abandon_after(live, task)
        work = self._edge.keep(f"abandon of task {task.task_id}", asking)
        running = asyncio.create_task(work, name=f"abandon:{task.task_id}")
        self._abandons.add(running)
        running.add_done_callback(self._abandons.discard)

    async def _abandon_after(self, claiming: Run, task: Task) -> None:
        # The cancel came while the task was being claimed here: that claim gets nothing any more.
        await claiming.ended.wait()
        await self.abandon(task)

    async def _abandon(self, run: Run, *, even_if_alive: bool) -> None:
        keeper, tasks = self.keeper, self._stores.tasks
        try:
            taken = await tasks.take_for_abandon(
                run.task, worker_id=keeper.worker_id, lease_s=keeper.lease_s, even_if_alive=even_if_alive
            )
            if taken is not None:
                crash_point("after_abandon")
                self._own(run, taken)
                await self._supervisor.repeated(run, lambda: self._begin_log(run))
                await self._supervisor.abandon(run)
        except (StoreUnavailableError, LeaseLostError) as error:
            logger.warning("abandon of task {} is left to the sweeper: {}", run.task_id, error)
        finally:
            self._let_go(run)

    def _register(self, task: Task) -> Run:
        run = Run(task, clock=self._clock, lease_s=self.keeper.lease_s, is_flagged=self.flags.is_set)
        self._runs[task.task_id] = run
        return run

    async def _claim(self, run: Run) -> bool:
        if run.reason is StopReason.SHUTDOWN:
            return False
        try:
            if not await self._supervisor.repeated(run, self._claim_step(run)):
                return False
            if self._clock.elapsed() - run.good_beat_at > self.keeper.lease_s * _OLD_CLAIM:
                # Repeated while the store was away: counted from its first try, the lease would soon be lost.
                await self.keeper.confirm(run)
            await self._supervisor.repeated(run, lambda: self._begin_log(run))
            crash_point("after_log_start")
        except (StoreUnavailableError, LeaseLostError) as error:
            # Should the claim have taken all the same, its lease runs out and a sweeper finds it.
            logger.warning("claim of task {} was left: {}", run.task_id, error)
            return False
        return True

    def _claim_step(self, run: Run) -> Callable[[], Awaitable[bool]]:
        claim_id = secrets.token_hex(8)
        run.good_beat_at = self._clock.elapsed()
        keeper, tasks = self.keeper, self._stores.tasks

        async def claim() -> bool:
            claimed = await tasks.claim(run.task, worker_id=keeper.worker_id, claim_id=claim_id, lease_s=keeper.lease_s)
            if claimed is not None:
                crash_point("after_claim")
                self._own(run, claimed)
            elif run.reason is StopReason.USER:
                logger.info("任务在启动前已被取消: {}", run.task_id)
            return claimed is not None

        return claim

    async def _begin_log(self, run: Run) -> None:
        if run.mine.fence > 1:
            run.next_seq = 1 + await self._stores.events.last_visible_seq(run.task)
            await self._stores.tasks.save_log_start(run.mine, run.next_seq)

    def _own(self, run: Run, claimed: Task) -> None:
        run.task = claimed
        run.lease = Lease(claimed.task_id, self.keeper.worker_id, claimed.fence)
        self.keeper.add(run)

    def _let_go(self, run: Run) -> None:
        self.keeper.remove(run)
        self.flags.forget(run.task_id)
        if self._runs.get(run.task_id) is run:
            del self._runs[run.task_id]
        # A body that raised keeps all its frames, and by them this run: fonts, pages, what it was working on.
        run.body = None
        run.ended.set()


class Attempt:
    """A claimed run, ready to be carried out."""

    def __init__(self, supervisor: Supervisor, run: Run) -> None:
        self._supervisor = supervisor
        self._run = run

    async def carry_out(self) -> None:
        """Run the body to its end and record that end; what the body does never raises here."""
        await self._supervisor.carry_out(self._run)
