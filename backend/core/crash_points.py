"""Named places where a test makes this process die, freeze or stall. For tests only; off in every other process.

`CRASH_POINT=name[:nth][:kill|stop|stall=SECONDS]`, refused unless APP_ENV=test. At the nth time (the first, when none
is given) the process comes to that place it does what is asked, once:

    kill           SIGKILL itself: nothing is tidied up, as when the kernel takes it (the default)
    stop           SIGSTOP itself: a frozen machine; whoever watches sends SIGCONT when the lease has run out
    stall=SECONDS  block the thread, and with it the loop: a garbage collection or a swapped-out page, at its worst
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Literal

from loguru import logger

# Where each is: "between" names what has just happened and what has not happened yet.
POINTS: dict[str, str] = {
    "after_claim": "the claim is stored; the run does not know yet",
    "after_log_start": "the start of this run's log lines is stored; the body has not begun",
    "after_intent": "the intent of a paid submit is stored; nothing was sent",
    "after_submit_answer": "the provider has answered the submit; its job id is not stored",
    "after_job_id": "the job id is stored; nothing was polled",
    "after_poll": "a poll is answered; nothing of it is stored",
    "after_checkpoint": "a checkpoint is stored; the run goes on",
    "mid_download": "a piece of a result is written to its part",
    "mid_render": "ffmpeg is at work, and has told of its first frames",
    "after_rename": "a part has become a file; its record is not written",
    "mid_store": "links and items of a batch are stored; its rows have not ended",
    "before_cancel_upstream": "a cancelled task's provider is about to be told",
    "before_give_back": "the body has ended; the task has not gone back",
    "before_finish": "the body has ended and is settled; its end is not recorded",
    "after_finish": "the end is stored; the run has not heard so",
    "before_event": "an end is recorded; its event is not published",
    "after_event": "the event of an end is published; the word that asks for it still stands",
    "before_books": "a task ended without a run; its books are not recounted",
    "mid_migration": "a batch of a migration is stored; its collection has the version before",
    "after_abandon": "an abandoned task is taken over; its provider was not asked",
}

Action = Literal["kill", "stop", "stall"]
_FREEZES = hasattr(signal, "SIGSTOP")


@dataclass(slots=True)
class CrashPlan:
    """What happens at which arrival: `nth` counts down, `seconds` is the length of a stall."""

    name: str
    nth: int = 1
    action: Action = "kill"
    seconds: float = 0.0

    def arrive(self, name: str) -> None:
        """Do it when this is the place and the time; once."""
        if name != self.name or self.nth <= 0:
            return
        self.nth -= 1
        if self.nth == 0:
            logger.warning("crash point {}: {}", self.name, self.action)
            self._act()

    def _act(self) -> None:
        if self.action == "stall":
            time.sleep(self.seconds)
        elif self.action == "stop" and sys.platform != "win32":
            # Not os.kill: another thread might take the signal, and this one would go a few steps further.
            signal.raise_signal(signal.SIGSTOP)
        else:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


_plan: CrashPlan | None = None


def crash_point(name: str) -> None:
    """Die, freeze or stall here, if a test has asked for it; otherwise one comparison."""
    if _plan is not None:
        _plan.arrive(name)


def arm(text: str | None) -> None:
    """Take the plan of this process from the setting's text; None disarms. Raises ValueError."""
    global _plan  # noqa: PLW0603 - a switch of the whole process, set once at its start
    _plan = None if text is None else parse_plan(text)
    if _plan is not None:
        logger.warning("CRASH_POINT is set: this process will {} at {}", _plan.action, _plan.name)


def parse_plan(text: str) -> CrashPlan:
    """Return the plan that `name[:nth][:kill|stop|stall=SECONDS]` asks for. Raises ValueError."""
    name, *rest = text.split(":")
    if name not in POINTS:
        raise ValueError(f"has no such point; there are {', '.join(POINTS)}")
    plan = CrashPlan(name)
    if rest and rest[0].isdecimal():
        plan.nth = int(rest.pop(0))
    if rest:
        _read_action(plan, rest.pop(0))
    if rest or plan.nth < 1:
        raise ValueError("does not read name[:nth][:kill|stop|stall=SECONDS]")
    return plan


def _read_action(plan: CrashPlan, word: str) -> None:
    action, _, seconds = word.partition("=")
    if action == "stall":
        plan.action, plan.seconds = "stall", _read_seconds(seconds)
    elif word == "stop" and _FREEZES:
        plan.action = "stop"
    elif word != "kill":
        raise ValueError(f"cannot {word!r} here; kill, stop (not on Windows) or stall=SECONDS")


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:  # noqa: PLR2004 - an hour; also refuses NaN
        raise ValueError("stalls for 0 to 3600 seconds")
    return seconds
