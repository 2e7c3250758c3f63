"""Taskiq: `taskiq worker taskiq_app:broker`, and the driver when run as a program."""

import asyncio

from chain import IS_TUNED, REDIS, drive, fetch_chain_async
from taskiq_redis import RedisStreamBroker

# After so long unacknowledged a message goes to another worker (ten minutes by default); the lock of a worker that died
# while it looked for such messages is given up after the same time (never by default).
_TUNED = {"idle_timeout": 10_000, "unacknowledged_lock_timeout": 10.0}
broker = RedisStreamBroker(url=REDIS, **(_TUNED if IS_TUNED else {}))


@broker.task(task_name="chain")
async def chain(job: str) -> int:
    """Fetch one chain."""
    return await fetch_chain_async(job)


def main() -> None:
    """Drive it from standard input."""
    with asyncio.Runner() as runner:
        runner.run(broker.startup())

        def submit(job: str) -> str:
            return str(runner.run(chain.kiq(job)).task_id)

        drive(submit, lambda _reference: False)  # it has no way to stop a task that is being worked on


if __name__ == "__main__":
    main()
