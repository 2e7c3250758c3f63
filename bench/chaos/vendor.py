"""The stand-in for Zhipu's video API under faults: jobs of different length, random misbehaviour, and a journal."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bench.chaos.journal import Journal, start_of
from tests.fixtures.cogvideox_server import BASE_PATH, CogVideoXServer, Fault, Job
from tests.fixtures.socket_server import Request

_KEY_END = "-submit-"
# Of a hundred requests of a kind so many are answered so.
_FAULTS: Mapping[str, tuple[tuple[float, Fault], ...]] = {
    "submit": (
        (0.02, Fault("accept_and_drop")),
        (0.02, Fault("broken")),
        (0.02, Fault("drop")),
        (0.03, Fault("refuse", {"status": 429, "code": "1302", "message": "并发过高"})),
        (0.03, Fault("refuse", {"status": 429, "code": "1302", "message": "并发过高", "retry_after": 2})),
        (0.02, Fault("late", {"seconds": 1.5})),
    ),
    "poll": (
        (0.01, Fault("drop")),
        (0.01, Fault("garbage")),
        (0.01, Fault("refuse", {"status": 500, "code": None, "message": "oops"})),
        (0.005, Fault("fail", {"code": "1300", "message": "内容不合规"})),
        (0.02, Fault("late", {"seconds": 1.0})),
    ),
    "file": ((0.05, Fault("half")), (0.05, Fault("drop")), (0.05, Fault("slow", {"seconds": 0.05}))),
}


class ChaosVendor(CogVideoXServer):
    """One stand-in, from `start` to `stop`; every request is written down in `journal`."""

    def __init__(
        self, journal: Journal, dice: random.Random, *, polls: tuple[int, int], is_sound: bool = False
    ) -> None:
        """`polls`: after how many a job is done, at least and at most; `is_sound`: it never misbehaves."""
        self._journal = journal
        self._polls = polls
        self._faults = {} if is_sound else _FAULTS
        self._dice = dice
        super().__init__()

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told of the provider."""
        return {"COGVIDEOX_API_KEY": "stand-in-key.stand-in-secret", "COGVIDEOX_BASE_URL": self.base_url}

    @property
    def bills(self) -> Counter[str]:
        """How many submits were taken for each task."""
        found: Counter[str] = Counter()
        for key, times in self.accepted.items():
            found[task_of(key)] += times
        return found

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note which start of the server asked, and answer."""
        kind, task = self._about(request)
        self._journal.note(task, start_of(request.headers.get("user-agent", "")), kind)
        await super().answer(request, reader, writer)

    def _about(self, request: Request) -> tuple[str, str]:
        path = request.path.partition("?")[0]
        if request.method == "POST":
            return "submit", task_of(str(request.json().get("request_id", "")))
        job_id = path.removesuffix(".mp4").rsplit("/", 1)[1]
        job = self.jobs.get(job_id)
        kind = "poll" if path.startswith(BASE_PATH) else "file"
        return kind, task_of(job.key) if job else job_id

    def next_fault(self, kind: str) -> Fault | None:
        """Return a random fault for one request, mostly none."""
        chance = self._dice.random()
        for share, fault in self._faults.get(kind, ()):
            if chance < share:
                return fault
            chance -= share
        return None

    def take(self, key: str, request: Mapping[str, Any]) -> Job:
        """Take a job that is done after a random number of polls."""
        job = super().take(key, request)
        # The stand-in counts up to one number for all jobs: some begin further below it.
        job.polls = self.polls_until_done - self._dice.randint(*self._polls)
        return job


def task_of(key: str) -> str:
    """Return the task whose submit carries this key."""
    return key.partition(_KEY_END)[0]
