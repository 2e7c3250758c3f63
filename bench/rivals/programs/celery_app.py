"""Celery: `celery -A celery_app worker`, and the driver when run as a program."""

from celery import Celery
from chain import IS_TUNED, REDIS, drive, fetch_chain

app = Celery("celery_app", broker=REDIS, backend=REDIS)
if IS_TUNED:
    # What its documentation says for tasks that must not be lost; the time after which Redis gives an unacknowledged
    # message to another worker is an hour by default.
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_transport_options={"visibility_timeout": 10},
    )


@app.task(name="chain")
def chain(job: str) -> int:
    """Fetch one chain."""
    return fetch_chain(job)


def _submit(job: str) -> str:
    return str(chain.delay(job).id)


def _cancel(reference: str) -> bool:
    app.control.revoke(reference, terminate=True, signal="SIGKILL")
    return True


if __name__ == "__main__":
    drive(_submit, _cancel)
