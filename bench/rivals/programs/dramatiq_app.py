"""Dramatiq: `dramatiq dramatiq_app`, and the driver when run as a program."""

import dramatiq
from chain import IS_TUNED, REDIS, drive, fetch_chain
from dramatiq.brokers.redis import RedisBroker

# After so long without a sign of life a worker's messages go to another (a minute by default), once a command happens
# to look for them: one in a thousand by default, which an idle worker seldom reaches.
_TUNED = {"heartbeat_timeout": 10_000, "maintenance_chance": 100_000}
broker = RedisBroker(url=REDIS, **(_TUNED if IS_TUNED else {}))
dramatiq.set_broker(broker)


@dramatiq.actor
def chain(job: str) -> None:
    """Fetch one chain."""
    fetch_chain(job)


def _submit(job: str) -> str:
    return str(chain.send(job).message_id)


def _cancel(_reference: str) -> bool:
    return False  # it has no way to stop a message that is being worked on


if __name__ == "__main__":
    drive(_submit, _cancel)
