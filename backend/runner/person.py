"""Waiting for a person (lifecycle.md §2): the page stays open, the lease is kept, the slot is lent to others."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, Self, TypeVar

from loguru import logger

from backend.core.clock import Clock
from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import NeedsPersonError, StoreUnavailableError
from backend.domain.execution import LONGEST_WAIT_S
from backend.domain.task import Notice, Stage
from backend.domain.text import Text
from backend.runner.run import Run
from backend.runner.slot_hold import SlotHold
from backend.store.challenges import ChallengeStore

T = TypeVar("T")
Refresh = Callable[[], Awaitable[Challenge | None]]

# Pages are dear, and nobody solves more at a time: who comes after these waits without a page.
MOST_AT_ONCE = 20
_ASK_EVERY_S = 1.0
_CALL_S = 5.0
_REPEAT_S = 1.0

_CODES = {ChallengeKind.LOGIN: "NEEDS_LOGIN", ChallengeKind.QR: "NEEDS_LOGIN", ChallengeKind.CAPTCHA: "NEEDS_CAPTCHA"}
_WHAT = {
    ChallengeKind.LOGIN: Text("需要登录", "A login is needed"),
    ChallengeKind.QR: Text("需要扫码登录", "A QR code is to be scanned to log in"),
    ChallengeKind.CAPTCHA: Text("需要完成人机验证", "A captcha is to be solved"),
}
_WHILE_OPEN = {
    ChallengeKind.LOGIN: Text(
        "请在打开的浏览器页面里登录，完成后任务自动继续", "Log in on the open page; the task then goes on by itself"
    ),
    ChallengeKind.QR: Text(
        "请用手机 App 扫描二维码，完成后任务自动继续",
        "Scan the QR code with the app on your phone; the task then goes on by itself",
    ),
    ChallengeKind.CAPTCHA: Text(
        "请在打开的浏览器页面里完成验证，完成后任务自动继续",
        "Solve the captcha on the open page; the task then goes on by itself",
    ),
}
_WHEN_CLOSED = {
    ChallengeKind.LOGIN: Text("登录后点“继续”，任务从中断处接着做", "Log in, then resume: it goes on where it stood"),
    ChallengeKind.QR: Text(
        "点“继续”会打开新的二维码，请在 10 分钟内扫描", "Resume shows a new QR code; scan it within 10 minutes"
    ),
    ChallengeKind.CAPTCHA: Text(
        "完成验证后点“继续”，任务从中断处接着做", "Solve the captcha, then resume: it goes on where it stood"
    ),
}


class WaitingContext(Protocol):
    """What a wait uses of its TaskContext, on the execution's own loop."""

    async def sleep(self, seconds: float) -> None:
        """Wait, ended at once by a cancel; checks first."""


class Asking(Protocol):
    """The server's side of one wait of one run; in thread mode it is reached over the bridge."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def show(self, challenge: Challenge) -> None:
        """Show this from now on, and hold no slot."""

    async def go_on(self) -> None:
        """Show nothing more; return with a slot."""


async def wait_for_person(
    context: WaitingContext,
    asking: Asking,
    clock: Clock,
    challenge: Challenge,
    is_solved: Callable[[], Awaitable[bool]],
    *,
    within_s: float,
    refresh: Refresh | None,
) -> None:
    """Do what `TaskContext.wait_for_person` says, on the loop of the execution."""
    end = clock.elapsed() + min(within_s, LONGEST_WAIT_S)
    async with asking as there:
        await there.show(challenge)
        while (left_s := end - clock.elapsed()) > 0:
            if await _answer(is_solved, left_s):
                await there.go_on()
                return
            newer = await _answer(refresh, end - clock.elapsed()) if refresh is not None else None
            if newer is not None and newer != challenge:
                challenge = newer
                await there.show(challenge)
            await context.sleep(max(0.0, min(_ASK_EVERY_S, end - clock.elapsed())))
    raise needs_person(challenge)


async def _answer(call: Callable[[], Awaitable[T]], left_s: float) -> T | None:
    """Return what the call says; None when it takes too long."""
    try:
        async with asyncio.timeout(max(0.0, min(_CALL_S, left_s))):
            return await call()
    except TimeoutError:
        return None


def needs_person(challenge: Challenge) -> NeedsPersonError:
    """Return the error that ends a run whose page is left: the task waits, and shows this meanwhile."""
    kind = challenge.kind
    return NeedsPersonError(_CODES[kind], _WHAT[kind], action=_WHEN_CLOSED[kind], challenge=challenge)


class PersonDesk:
    """Stores what people are shown by the runs of this process, and counts the pages that are kept open."""

    def __init__(self, challenges: ChallengeStore) -> None:
        self._challenges = challenges
        self._open: set[RunAsking] = set()

    def asking(self, run: Run) -> "RunAsking":
        """Return the server's side of a new wait of this run."""
        return RunAsking(run, self._challenges, self._open)

    async def park(self, run: Run, challenge: Challenge | None) -> None:
        """Store what is shown while the task waits without a page; `waiting` is written after that."""
        if challenge is not None:
            run.has_shown = True
            await self._challenges.put(run.mine, challenge, since=run.asked_at or run.clock.now())
        elif run.has_shown:
            await self.clear(run)

    async def clear(self, run: Run) -> None:
        """Remove what this run and those before it have shown."""
        await self._challenges.drop(run.task_id, fence=run.mine.fence)


class RunAsking:
    """The server's side of one wait, entered while its page is open.

    Left by an error or a cancel, it leaves the stored challenge to the supervisor, and the run without a slot or
    with one that its attempt gives back.
    """

    def __init__(self, run: Run, challenges: ChallengeStore, is_open: "set[RunAsking]") -> None:
        self._run = run
        self._challenges = challenges
        self._open = is_open
        self._stage = run.progress.stage

    async def __aenter__(self) -> Self:
        self._open.add(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._open.discard(self)

    async def show(self, challenge: Challenge) -> None:
        """Store and announce it, and give the slot back. Raises NeedsPersonError when too many pages are open."""
        run = self._run
        if run.asked_at is None:
            self._begin(challenge)
        for name in challenge.left_out:
            run.add_line("warning", "人工处理的内容不合格，没有显示", {"part": name})
        notice = Notice(_CODES[challenge.kind], _WHAT[challenge.kind], _WHILE_OPEN[challenge.kind])
        since = run.asked_at or run.clock.now()
        await self._repeated(lambda: self._challenges.show(run.mine, challenge, notice=notice, since=since))
        self._slot.give_back()

    async def go_on(self) -> None:
        """Take the challenge from the record, wait for a slot in turn, and be where the run was before."""
        run, has_slot = self._run, self._slot.take()
        run.asked_at = None
        stage = self._stage if has_slot else Stage.QUEUED
        self._at(stage)
        run.add_line("info", "人工处理已完成，继续执行", {})
        await self._repeated(lambda: self._challenges.close(run.mine, run.task.kind, stage=stage))
        await self._slot.take_again()
        self._at(self._stage)

    def _begin(self, challenge: Challenge) -> None:
        run = self._run
        if len(self._open) > MOST_AT_ONCE:
            raise needs_person(challenge)
        self._stage = run.progress.stage
        run.asked_at, run.has_shown = run.clock.now(), True
        self._at(Stage.NEEDS_PERSON)
        what = _WHAT[challenge.kind].zh
        run.add_line("warning", f"{what}，等待人工处理", {"code": _CODES[challenge.kind]})
        logger.info("任务需要人工处理: {}, {}", run.task_id, what)

    def _at(self, stage: Stage) -> None:
        self._run.progress = replace(self._run.progress, stage=stage)
        self._run.is_progress_dirty = True
        # Nothing is done meanwhile, and the rate after it is not that of before.
        self._run.rate_since = None

    @property
    def _slot(self) -> SlotHold:
        if self._run.slot is None:
            raise RuntimeError(f"task {self._run.task_id} runs without a slot")
        return self._run.slot

    async def _repeated(self, work: Callable[[], Awaitable[None]]) -> None:
        """Repeat a store step while the store is away, until the lease counts as lost: the open page is worth it."""
        while True:
            self._run.check()
            try:
                return await work()
            except StoreUnavailableError:
                if self._run.is_stale:
                    raise
                await asyncio.sleep(_REPEAT_S)
