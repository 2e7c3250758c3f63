"""Getting a provider to take one job, and paying for it once (lifecycle.md §5, promise P4).

The intent is stored before a submit is sent, what became of it right after, where no cancel reaches. A submit whose
answer was lost is looked up, or sent again where the provider refuses duplicates, or reported: never silently repeated.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from backend.core.clock import Clock
from backend.core.crash_points import crash_point
from backend.core.http import GateError, error_name
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.generation import Accepted, Refused, SubmitAnswer, Unknown
from backend.domain.task import SubmitIntent, Task
from backend.generate import failures
from backend.generate.job_record import JobRecord
from backend.generate.remote import CancelAnswer, CannotTell, NoJob, Recovered, Recovery, RemoteApi, RemoteTraits

# How long the provider may keep us waiting for room before the attempt is given up.
PATIENCE_S = 900.0
BACKOFF_CAP_S = 60.0
MAX_UNSENT = 5
MAX_DOUBTFUL = 5
# "None" from a look-up counts only when a late submit cannot arrive any more.
LATE_ARRIVAL_S = 10.0
# The gate's deadline comes first: its error still knows whether anything was sent.
_GATE_SHARE = 0.95
_LEAST_SHARE = 0.2
_OVERLOAD_FACTOR = 3


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing of the submit left this machine. `error_name` is a word of docs/glossary.md."""

    error_name: str


Outcome = SubmitAnswer | NotSent


class Submission:
    """Obtains the one job of a task, and closes it; `job` is what is known and stored of it."""

    def __init__(
        self,
        task: Task,
        api: RemoteApi,
        traits: RemoteTraits,
        *,
        clock: Clock,
        request: Mapping[str, Any] | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        """`request` is the validated body; a Submission made only to be closed has none."""
        self.job = JobRecord(task, clock=clock)
        self._api = api
        self._traits = traits
        self._clock = clock
        self._request = request or {}
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._pauses = 0

    async def obtain(self, context: TaskContext) -> str:
        """Return the provider's job id: the one on the record, or that of a new job.

        Raises TaskFailedError when the provider refuses, cannot be reached, or (SUBMIT_UNCERTAIN) nobody can say
        whether it took the job.
        """
        give_up_at = self._clock.elapsed() + PATIENCE_S
        unsent = in_doubt = 0
        while self.job.job_id is None:
            was_doubtful = self.job.is_doubtful
            outcome = await self._round(context)
            unsent = unsent + 1 if isinstance(outcome, NotSent) else 0
            in_doubt += was_doubtful and not unsent
            # While in doubt an unreachable provider is waited for: giving up would leave the doubt to a person.
            has_tries = in_doubt < MAX_DOUBTFUL if was_doubtful else unsent < MAX_UNSENT
            left_s = give_up_at - self._clock.elapsed()
            await self._after(context, outcome, may_go_on=has_tries and _wait_asked_s(outcome) < left_s)
        return self.job.job_id

    async def close(self, context: TaskContext, limit_s: float) -> None:
        """Ask the provider to cancel what is open, and record its answer; nothing is asked when nothing is open.

        `limit_s` bounds the asking. What cannot be found or does not answer is recorded as unknown.
        """
        await self.job.settle(context)
        if not self.job.is_open:
            return
        answer: CancelAnswer = "unknown"
        crash_point("before_cancel_upstream")
        try:
            async with asyncio.timeout(max(limit_s, 0)):
                answer = await self._ask_to_cancel(context.reach(self._api))
        except (TimeoutError, httpx.HTTPError):
            pass
        await self.job.note_cancel(context, answer)

    # -- one round ------------------------------------------------------------------------------------------------

    async def _round(self, context: TaskContext) -> Outcome:
        if self.job.is_doubtful and self.job.intent is not None:
            found = await self._look_up(context, self.job.intent)
            if isinstance(found, Recovered):
                await self.job.take(context, found.job_id)
                return Accepted(found.job_id)
            if isinstance(found, NoJob):
                await self.job.refuse(context)
            elif not self._traits.refuses_duplicates:
                raise await self._uncertain(context)
        return await self._submit(context)

    async def _submit(self, context: TaskContext) -> Outcome:
        started, limit_s = self._clock.elapsed(), context.submit_limit_s
        context.check()
        await self.job.intend(context, limit_s)
        crash_point("after_intent")
        context.check()
        await context.confirm_lease()
        context.check()
        left_s = limit_s - (self._clock.elapsed() - started)
        return await context.shielded(lambda inner: self._send(inner, left_s, limit_s))

    async def _send(self, context: TaskContext, left_s: float, limit_s: float) -> Outcome:
        """Send the submit and store what became of it. Being cut leaves the doubt standing."""
        # Between the body's last look and this task's first step a cancel may have come.
        context.check()
        was_doubtful = self.job.is_doubtful
        if left_s < limit_s * _LEAST_SHARE:
            outcome: Outcome = NotSent("DEADLINE")
        else:
            self.job.is_doubtful = True
            outcome = await self._call(context, left_s)
            crash_point("after_submit_answer")
        await self._record_outcome(context, outcome, was_doubtful=was_doubtful)
        return outcome

    async def _call(self, context: TaskContext, left_s: float) -> Outcome:
        key = self.job.intent.key if self.job.intent else ""
        try:
            with context.hold("connections"):
                async with asyncio.timeout(left_s):
                    return await context.reach(self._api).submit(self._request, key, left_s * _GATE_SHARE)
        except TimeoutError:
            return Unknown("DEADLINE")
        except httpx.HTTPError as error:
            was_sent = not isinstance(error, GateError) or error.sent
            return Unknown(error_name(error)) if was_sent else NotSent(error_name(error))

    async def _record_outcome(self, context: TaskContext, outcome: Outcome, *, was_doubtful: bool) -> None:
        if isinstance(outcome, Accepted):
            await self.job.take(context, outcome.job_id)
            crash_point("after_job_id")
        elif was_doubtful or isinstance(outcome, Unknown) or _is_ambiguous(outcome):
            # Whatever this one was answered, an earlier one may have been taken.
            await self.job.note(context, is_open=True, status="unknown")
        elif isinstance(outcome, Refused):
            await self.job.refuse(context)
        else:
            await self.job.take_back(context)

    async def _after(self, context: TaskContext, outcome: Outcome, *, may_go_on: bool) -> None:
        if isinstance(outcome, Accepted):
            return
        if self.job.is_doubtful:
            if not may_go_on or _is_final_in_doubt(outcome):
                raise await self._uncertain(context)
        elif isinstance(outcome, Refused) and (outcome.error_class not in failures.PASSING or not may_go_on):
            raise failures.refused(outcome, self._traits.title)
        elif isinstance(outcome, NotSent) and not may_go_on:
            raise failures.unreachable(outcome.error_name, self._traits.title)
        await self._pause(context, outcome)

    async def _pause(self, context: TaskContext, outcome: Refused | Unknown | NotSent) -> None:
        is_overloaded = isinstance(outcome, Refused) and outcome.error_class == "overloaded"
        base_s = self._traits.poll_s * (_OVERLOAD_FACTOR if is_overloaded else 1)
        wait_s = min(base_s * 2**self._pauses, BACKOFF_CAP_S) * self._jitter.uniform(0.8, 1.2)
        wait_s = max(wait_s, _wait_asked_s(outcome))
        self._pauses += 1
        word = outcome.detail if isinstance(outcome, Unknown) else outcome.error_name
        context.log("warning", f"{word}，{wait_s:.1f}s 后再次提交 / submitting again in {wait_s:.1f} s")
        await context.sleep(wait_s)

    # -- asking about a job -----------------------------------------------------------------------------------------

    async def _look_up(self, context: TaskContext, intent: SubmitIntent) -> Recovery:
        found = await self._ask(context, intent.key)
        sure_at = intent.not_after + timedelta(seconds=LATE_ARRIVAL_S)
        wait_s = (sure_at - self._clock.now()).total_seconds()
        if isinstance(found, NoJob) and wait_s > 0:
            await context.sleep(wait_s)
            return await self._ask(context, intent.key)
        return found

    async def _ask(self, context: TaskContext, key: str) -> Recovery:
        for turn in range(MAX_UNSENT):
            context.check()
            try:
                return await context.reach(self._api).recover(key)
            except httpx.HTTPError as error:
                context.log("warning", f"{error_name(error)}，查询提交结果 / looking the submit up")
            await context.sleep(min(self._traits.poll_s * 2**turn, BACKOFF_CAP_S))
        return CannotTell()

    async def _ask_to_cancel(self, api: RemoteApi) -> CancelAnswer:
        job_id = self.job.job_id
        if job_id is None and self.job.intent is not None:
            found = await api.recover(self.job.intent.key)
            job_id = found.job_id if isinstance(found, Recovered) else None
            self.job.found(job_id)
        return "unknown" if job_id is None else await api.cancel(job_id)

    async def _uncertain(self, context: TaskContext) -> TaskFailedError:
        await self.job.note(context, is_open=True, status="unknown")
        return failures.uncertain(self._traits.title)


def _wait_asked_s(outcome: Outcome) -> float:
    return outcome.retry_after_s or 0.0 if isinstance(outcome, Refused) else 0.0


def _is_ambiguous(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.error_class == "ambiguous"


def _is_final_in_doubt(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.error_class not in failures.PASSING
