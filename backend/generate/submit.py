"""Getting a provider to take one job, and paying for it once (lifecycle.md §5, promise P4).

The intent is stored before a submit is sent, what became of it right after, where no cancel reaches. A submit whose
answer was lost is looked up, or sent again where the provider refuses duplicates, or reported: never silently repeated.
"""

import asyncio
import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from backend.core.clock import Clock
from backend.core.http import GateError, error_name
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.generation import Accepted, Refused, SubmitAnswer, Unknown
from backend.domain.task import SubmitIntent, Task, Upstream
from backend.generate import failures
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
    """The one job of a task at its provider, and what is known and stored of it."""

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
        self._task_id = task.task_id
        self._api = api
        self._traits = traits
        self._clock = clock
        self._request = request or {}
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads load, guards nothing
        self.upstream = task.upstream or Upstream()
        self.is_open = task.upstream_open
        self._intent = task.intent if self.upstream.job_id is None else None
        # An intent that was found was perhaps sent by whoever wrote it.
        self._is_doubtful = self._intent is not None
        self._pauses = 0

    @property
    def was_taken_up(self) -> bool:
        """Whether a submit was ever sent, or may have been."""
        return self.upstream.submits > 0

    async def obtain(self, context: TaskContext) -> str:
        """Return the provider's job id: the one on the record, or that of a new job.

        Raises TaskFailedError when the provider refuses, cannot be reached, or (SUBMIT_UNCERTAIN) nobody can say
        whether it took the job.
        """
        give_up_at = self._clock.elapsed() + PATIENCE_S
        unsent = in_doubt = 0
        while self.upstream.job_id is None:
            was_doubtful = self._is_doubtful
            outcome = await self._round(context)
            unsent = unsent + 1 if isinstance(outcome, NotSent) else 0
            in_doubt += was_doubtful and not unsent
            # While in doubt an unreachable provider is waited for: giving up would leave the doubt to a person.
            has_tries = in_doubt < MAX_DOUBTFUL if was_doubtful else unsent < MAX_UNSENT
            left_s = give_up_at - self._clock.elapsed()
            await self._after(context, outcome, may_go_on=has_tries and _wait_asked_s(outcome) < left_s)
        return self.upstream.job_id

    async def close(self, context: TaskContext, limit_s: float) -> None:
        """Ask the provider to cancel what is open, and record its answer; nothing is asked when nothing is open.

        `limit_s` bounds the asking. What cannot be found or does not answer is recorded as unknown.
        """
        if not self.is_open:
            return
        if self.upstream.job_id is None and not self._is_doubtful:
            await self._record_unsent(context)
            return
        answer: CancelAnswer = "unknown"
        try:
            async with asyncio.timeout(max(limit_s, 0)):
                answer = await self._ask_to_cancel(context.reach(self._api))
        except (TimeoutError, httpx.HTTPError):
            pass
        is_over = answer == "confirmed"
        self.upstream = dataclasses.replace(self.upstream, cancel=answer, may_bill=not is_over)
        await self.record(context, is_open=not is_over, status=None if self.upstream.job_id else "unknown")

    async def record(self, context: TaskContext, *, is_open: bool, status: str | None = None) -> None:
        """Store the job's status."""
        self.is_open = is_open
        if status is not None:
            self.upstream = dataclasses.replace(self.upstream, status=status)
        await context.record_upstream(self.upstream, is_open=is_open)

    async def settle_unsent(self, context: TaskContext) -> None:
        """Take back an intent that was stored and provably never sent; the next owner need not wonder."""
        if self.is_open and self.upstream.job_id is None and not self._is_doubtful:
            await self._record_unsent(context)

    # -- one round ------------------------------------------------------------------------------------------------

    async def _round(self, context: TaskContext) -> Outcome:
        if self._is_doubtful and self._intent is not None:
            found = await self._look_up(context, self._intent)
            if isinstance(found, Recovered):
                await self._take(context, found.job_id)
                return Accepted(found.job_id)
            if isinstance(found, NoJob):
                await self._record_refused(context)
            elif not self._traits.refuses_duplicates:
                raise await self._uncertain(context)
        return await self._submit(context)

    async def _submit(self, context: TaskContext) -> Outcome:
        started, limit_s = self._clock.elapsed(), context.submit_limit_s
        context.check()
        await self._record_intent(context, limit_s)
        context.check()
        await context.confirm_lease()
        context.check()
        left_s = limit_s - (self._clock.elapsed() - started)
        return await context.shielded(lambda inner: self._send(inner, left_s, limit_s))

    async def _send(self, context: TaskContext, left_s: float, limit_s: float) -> Outcome:
        """Send the submit and store what became of it. Being cut leaves the doubt standing."""
        was_doubtful = self._is_doubtful
        if left_s < limit_s * _LEAST_SHARE:
            outcome: Outcome = NotSent("DEADLINE")
        else:
            self._is_doubtful = True
            outcome = await self._call(context, left_s)
        await self._record_outcome(context, outcome, was_doubtful=was_doubtful)
        return outcome

    async def _call(self, context: TaskContext, left_s: float) -> Outcome:
        key = self._intent.key if self._intent else ""
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
            await self._take(context, outcome.job_id)
        elif was_doubtful or isinstance(outcome, Unknown) or _is_ambiguous(outcome):
            # Whatever this one was answered, an earlier one may have been taken.
            await self.record(context, is_open=True, status="unknown")
        elif isinstance(outcome, Refused):
            await self._record_refused(context)
        else:
            await self._record_unsent(context)

    async def _after(self, context: TaskContext, outcome: Outcome, *, may_go_on: bool) -> None:
        if isinstance(outcome, Accepted):
            return
        if self._is_doubtful:
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
        job_id = self.upstream.job_id
        if job_id is None and self._intent is not None:
            found = await api.recover(self._intent.key)
            job_id = found.job_id if isinstance(found, Recovered) else None
            self.upstream = dataclasses.replace(self.upstream, job_id=job_id)
        return "unknown" if job_id is None else await api.cancel(job_id)

    # -- what is stored ---------------------------------------------------------------------------------------------

    async def _record_intent(self, context: TaskContext, limit_s: float) -> None:
        submits = self.upstream.submits + 1
        # n grows only after a recorded refusal: that alone clears the intent.
        n, key = (self._intent.n, self._intent.key) if self._intent else (submits, f"{self._task_id}-submit-{submits}")
        self._intent = SubmitIntent(key, n, self._clock.now() + timedelta(seconds=limit_s))
        self.upstream = dataclasses.replace(self.upstream, status="submitting", submits=submits, may_bill=True)
        self.is_open = True
        await context.record_intent(self._intent, self.upstream)

    async def _take(self, context: TaskContext, job_id: str) -> None:
        self._is_doubtful = False
        self.upstream = dataclasses.replace(self.upstream, job_id=job_id, may_bill=True)
        await self.record(context, is_open=True, status="queued")

    async def _record_refused(self, context: TaskContext) -> None:
        self.upstream = dataclasses.replace(self.upstream, status="refused", may_bill=False)
        await self._drop_intent(context)

    async def _record_unsent(self, context: TaskContext) -> None:
        submits = max(self.upstream.submits - 1, 0)
        self.upstream = dataclasses.replace(
            self.upstream, submits=submits, status="refused" if submits else None, may_bill=False
        )
        await self._drop_intent(context)

    async def _drop_intent(self, context: TaskContext) -> None:
        self._is_doubtful, self.is_open = False, False
        self._intent = None
        await context.record_upstream(self.upstream, is_open=False, drop_intent=True)

    async def _uncertain(self, context: TaskContext) -> TaskFailedError:
        await self.record(context, is_open=True, status="unknown")
        return failures.uncertain(self._traits.title)


def _wait_asked_s(outcome: Outcome) -> float:
    return outcome.retry_after_s or 0.0 if isinstance(outcome, Refused) else 0.0


def _is_ambiguous(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.error_class == "ambiguous"


def _is_final_in_doubt(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.error_class not in failures.PASSING
