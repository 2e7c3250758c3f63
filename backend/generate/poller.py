"""A generation at a remote provider: submit, poll, download (lifecycle.md §5).

One execution for every vendor; what differs is behind `RemoteApi` and `RemoteTraits` (remote.py).
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import httpx
from loguru import logger

from backend.core.both import both
from backend.core.crash_points import crash_point
from backend.core.http import error_name
from backend.domain.errors import NeedsPersonError
from backend.domain.execution import TaskContext
from backend.domain.generation import Artifact, JobFailed, JobQueued, JobRunning, JobSucceeded, OutputLink, Refused
from backend.domain.generation import Unknown as Unreadable
from backend.domain.task import Books, Ending, Stage, StopReason, Task, TaskStatus
from backend.domain.text import Text
from backend.generate import failures
from backend.generate.outputs import OutputKeeper
from backend.generate.provider import GenerateTools
from backend.generate.remote import RemoteApi, RemoteTraits, StatusUnclear
from backend.generate.submit import Submission

CLOSE_LIMIT_S = 5.0
# The record of the answer needs a moment of those five seconds.
_RECORD_S = 0.5
_GROWTH = 1.2
_BACKOFF_CAP_S = 60.0
# A job may not be visible everywhere at once; a refusal that stays is true.
_MAX_REFUSED_POLLS = 5
_PASSING = failures.PASSING | {"ambiguous"}
# However long the provider asks us to wait: results expire.
_LONGEST_ASKED_S = 600.0
_FINISHED = Text("视频已生成", "The video is ready")
# One for all: each would take 3 KB.
_JITTER = random.Random()  # noqa: S311 - spreads load, guards nothing
_TOLD_TO_STOP = frozenset({StopReason.USER, StopReason.DEADLINE})

PollResult = JobQueued | JobRunning | JobSucceeded | JobFailed | Refused | StatusUnclear | Unreadable


class RemoteGeneration:
    """One attempt of one remote generation; resumes the job on the record instead of submitting anew."""

    def __init__(
        self,
        context: TaskContext,
        tools: GenerateTools,
        *,
        api: RemoteApi,
        traits: RemoteTraits,
        request: Mapping[str, Any],
        own_origin: str | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        """`own_origin`: the provider's origin as named in settings; results there are fetched through it."""
        self._context = context
        self._task_id = context.task.task_id
        self._clock = tools.clock
        self._api = api
        self._traits = traits
        self._jitter = jitter or _JITTER
        self._submission = Submission(
            context.task, api, traits, clock=tools.clock, request=request, jitter=self._jitter
        )
        self._outputs = OutputKeeper(context, tools, traits, own_origin=own_origin)
        self._stage = Stage.SUBMIT
        self._cut_at: float | None = None
        self._wanted = 1
        self._is_put_by = False

    async def run(self) -> Ending:
        """Obtain a job, follow it to its end, keep its results.

        Raises TaskFailedError, NeedsPersonError (a bad key with a job open), LeaseLostError, CancelledError; a
        RuntimeError of a closed loop or client goes through at once.
        """
        try:
            return await self._run()
        except asyncio.CancelledError:
            self._cut_at = self._clock.elapsed()
            raise
        except NeedsPersonError:
            self._is_put_by = True
            raise

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Tell the provider when a person or the deadline stopped the task; return the books. May be repeated."""
        _, stored = await both(self._close(context, reason), self._outputs.stored(context))
        books = self._books(stored, reason)
        if reason is StopReason.USER:
            self._say_cancelled()
        return books

    async def _run(self) -> Ending:
        is_resumed = self._submission.job.job_id is not None
        self._context.progress(done=0, total=1, unit=self._traits.media, stage=Stage.SUBMIT)
        job_id = await self._submission.obtain(self._context)
        self._stage = Stage.POLL
        self._context.progress(stage=Stage.POLL)
        if not is_resumed:
            await self._context.sleep(self._traits.poll_s)
        finished = await self._follow(job_id)
        self._stage = Stage.DOWNLOAD
        await self._collect(job_id, finished)
        return Ending(TaskStatus.SUCCEEDED, _FINISHED)

    # -- polling ----------------------------------------------------------------------------------------------------

    async def _follow(self, job_id: str) -> JobSucceeded:
        watch = _Watch(self._context, self._traits, self._jitter)
        while True:
            answer = await self._poll(job_id, watch)
            if isinstance(answer, JobSucceeded):
                await self._record(watch, "succeeded", is_open=False)
                return answer
            if isinstance(answer, JobFailed):
                await self._record(watch, "failed", is_open=False)
                raise failures.job_failed(answer, self._traits.title)
            if isinstance(answer, JobQueued | JobRunning | StatusUnclear):
                await self._record(watch, _status_of(answer), is_open=True)
                watch.note_progress(answer)
            elif isinstance(answer, Refused):
                watch.judge_refusal(answer)
            await self._context.sleep(watch.next_pause_s())

    async def _poll(self, job_id: str, watch: "_Watch") -> PollResult | None:
        self._context.check()
        try:
            with self._context.hold("connections"):
                answer = await self._context.reach(self._api).poll(job_id)
        except httpx.HTTPError as error:
            watch.note_trouble(error_name(error))
            return None
        crash_point("after_poll")
        if isinstance(answer, Unreadable):
            watch.note_trouble(answer.detail)
        elif isinstance(answer, Refused):
            watch.note_trouble(answer.error_name, retry_after_s=answer.retry_after_s)
        else:
            watch.note_answer(answer)
        return answer

    async def _record(self, watch: "_Watch", status: str, *, is_open: bool) -> None:
        # The first answered poll of a claim is written even when nothing changed: it sets `lost` back.
        if watch.is_first_record or status != self._submission.job.upstream.status:
            await self._submission.job.note(self._context, is_open=is_open, status=status)
            watch.is_first_record = False

    # -- results ----------------------------------------------------------------------------------------------------

    async def _collect(self, job_id: str, finished: JobSucceeded) -> None:
        self._wanted = len(finished.outputs)
        if not finished.outputs:
            raise failures.no_outputs(self._traits.title)
        self._context.progress(done=0, total=self._wanted, stage=Stage.DOWNLOAD)
        for index in range(self._wanted):
            await self._keep(job_id, finished.outputs[index], index)
            self._context.progress(done=index + 1)

    async def _keep(self, job_id: str, link: OutputLink, index: int) -> Artifact:
        artifact = await self._outputs.keep(link.url, index)
        if artifact is None:
            fresh = await self._fresh_link(job_id, index)
            artifact = None if fresh is None else await self._outputs.keep(fresh.url, index)
        if artifact is None:
            raise failures.result_expired(self._traits.title)
        return artifact

    async def _fresh_link(self, job_id: str, index: int) -> OutputLink | None:
        answer = await self._poll(job_id, _Watch(self._context, self._traits, self._jitter))
        outputs = answer.outputs if isinstance(answer, JobSucceeded) else ()
        return outputs[index] if index < len(outputs) else None

    # -- the end ----------------------------------------------------------------------------------------------------

    def _say_cancelled(self) -> None:
        if self._stage is Stage.SUBMIT and not self._submission.job.was_taken_up:
            logger.info(f"任务在生成前已被取消: {self._task_id}")
        elif self._stage is Stage.POLL:
            logger.info(f"轮询任务状态被取消: {self._task_id}")
        # The body has ended, and the gate aborts the connection of what is cancelled.
        logger.info("任务取消后已安全清理HTTP会话")

    async def _close(self, context: TaskContext, reason: StopReason | None) -> None:
        if reason in _TOLD_TO_STOP:
            spent_s = 0.0 if self._cut_at is None else self._clock.elapsed() - self._cut_at
            await self._submission.close(context, CLOSE_LIMIT_S - _RECORD_S - spent_s)
        else:
            await self._submission.job.settle(context)

    def _books(self, ok: int, reason: StopReason | None) -> Books:
        missing = max(self._wanted - ok, 0)
        is_untouched = reason is not None and not ok and not self._submission.job.was_taken_up
        if is_untouched or self._is_put_by or reason is StopReason.SHUTDOWN:
            return Books(requested=ok, ok=ok, stored=ok, queued_left=missing)
        cut, failed = (missing, 0) if reason in _TOLD_TO_STOP else (0, missing)
        return Books(requested=ok + missing, ok=ok, stored=ok, aborted=cut, failed=failed)


class _Watch:
    """What is remembered from poll to poll of one claim."""

    def __init__(self, context: TaskContext, traits: RemoteTraits, jitter: random.Random) -> None:
        self.is_first_record = True
        self._context = context
        self._traits = traits
        self._jitter = jitter
        self._pause_s = traits.poll_s
        self._troubles = 0
        self._refused = 0
        self._retry_after_s: float | None = None
        self._unclear_words: set[str] = set()

    def note_answer(self, answer: PollResult) -> None:
        """A poll was answered: a streak of troubles is over; an unknown word is logged once."""
        self._troubles = self._refused = 0
        self._retry_after_s = None
        if isinstance(answer, StatusUnclear) and answer.word not in self._unclear_words:
            self._unclear_words.add(answer.word)
            self._context.log("warning", f"未知的任务状态“{answer.word}”，继续轮询 / unknown status; polling on")

    def note_trouble(self, word: str, *, retry_after_s: float | None = None) -> None:
        """A poll failed; the task does not. Logged once a streak."""
        if not self._troubles:
            self._context.log("warning", f"{word}，轮询失败，稍后继续 / a poll failed; polling on")
        self._troubles += 1
        self._retry_after_s = retry_after_s

    def note_progress(self, answer: PollResult) -> None:
        """Pass on how far the job is, where the provider says."""
        if isinstance(answer, JobRunning) and answer.progress is not None:
            self._context.progress(done=round(answer.progress * 100), total=100, unit="percent")

    def judge_refusal(self, answer: Refused) -> None:
        """Raise when an open job cannot be followed: a bad key at once, other refusals when they stay."""
        if answer.error_class in _PASSING:
            return
        self._refused += 1
        if answer.error_class in {"auth", "account"} or self._refused >= _MAX_REFUSED_POLLS:
            raise failures.poll_refused(answer, self._traits.title)

    def next_pause_s(self) -> float:
        """Return the pause to the next poll: growing with jitter to the cap, longer after troubles."""
        pause_s = self._pause_s
        if self._troubles:
            pause_s = min(self._traits.poll_s * 2.0 ** min(self._troubles, 10), _BACKOFF_CAP_S)
            return max(pause_s * self._jitter.uniform(0.8, 1.2), min(self._retry_after_s or 0.0, _LONGEST_ASKED_S))
        self._pause_s = min(self._pause_s * _GROWTH, self._traits.poll_cap_s)
        return pause_s * self._jitter.uniform(0.9, 1.1)


async def abandon_remote(
    task: Task, context: TaskContext, tools: GenerateTools, *, api: RemoteApi, traits: RemoteTraits
) -> None:
    """Ask for the cancel of the open job of a task that nobody runs; the answer is recorded, 5 s in all."""
    submission = Submission(task, api, traits, clock=tools.clock)
    await submission.close(context, CLOSE_LIMIT_S - _RECORD_S)


def _status_of(answer: JobQueued | JobRunning | StatusUnclear) -> str:
    return "queued" if isinstance(answer, JobQueued) else "running"
