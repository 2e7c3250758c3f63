"""The stand-in for Zhipu's video API, in our own process, with what it saw counted for each task."""

from tests.fixtures.cogvideox_server import CogVideoXServer

FOR_EVER = 0
# Above what any stage waits for.
NEVER_DONE = 1_000_000


class Vendor:
    """One stand-in. A task's requests are known by its id: the product's `request_id` begins with it."""

    def __init__(self, server: CogVideoXServer | None = None) -> None:
        self._server = server or CogVideoXServer()

    async def start(self) -> None:
        """Listen on a free port."""
        await self._server.start()

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self._server.stop()

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told of it, but for the poll interval."""
        return {"COGVIDEOX_API_KEY": "stand-in-key.stand-in-secret", "COGVIDEOX_BASE_URL": self._server.base_url}

    def behave(
        self, kind: str = "", do: str = "", *, is_done_at_once: bool = False, polls: int = NEVER_DONE, **options: object
    ) -> None:
        """Forget everything, and from now on misbehave so: see the stand-in's list of faults."""
        self._server.reset(polls_until_done=1 if is_done_at_once else polls)
        if kind:
            self._server.plan(kind, do, times=FOR_EVER, **options)

    def finish_all(self, *, polls: int = 1) -> None:
        """Let every job be done at its next poll, or at its poll number `polls`."""
        self._server.polls_until_done = polls

    def misbehave_once(self, kind: str, do: str, times: int) -> None:
        """Plan a fault for the next `times` requests of a kind."""
        self._server.plan(kind, do, times=times)

    def release(self) -> None:
        """Go on with everything that a `hold` stopped, now and later."""
        self._server.release()

    def submits(self, task_id: str) -> int:
        """Return how many submits of the task came."""
        return sum(count for key, count in self._server.sent.items() if key.startswith(task_id))

    def accepted(self, task_id: str) -> int:
        """Return how many submits of the task were taken: each is a bill."""
        return sum(count for key, count in self._server.accepted.items() if key.startswith(task_id))

    def polls(self, task_id: str) -> int:
        """Return how many polls of the task's jobs came."""
        return sum(job.polls for job in self._server.jobs.values() if job.key.startswith(task_id))

    def downloads(self, task_id: str) -> int:
        """Return how often the task's results were asked for."""
        jobs = [job.job_id for job in self._server.jobs.values() if job.key.startswith(task_id)]
        return sum(count for path, count in self._server.downloads.items() if any(job in path for job in jobs))

    def requests(self, task_id: str) -> int:
        """Return everything that came of the task."""
        return self.submits(task_id) + self.polls(task_id) + self.downloads(task_id)
