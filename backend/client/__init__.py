"""A typed Python client of this server: `Client`, and `AsyncClient` for programs with an event loop.

    with Client("http://127.0.0.1:8888") as client:
        task = client.create_task("web", {"start_urls": ["https://docs.example.org/"]})
        for seen in client.follow_task(task["task_id"]):
            print(seen["status"], seen["progress"]["done"])

What is returned has the very shapes of the API (backend/api/*/schemas.py, records.py); every failure is a ClientError.
"""

from backend.client.aio import AsyncClient
from backend.client.errors import (
    AccessRefusedError,
    ApiError,
    BadAnswerError,
    BrokenOffError,
    ClientError,
    ConflictError,
    FieldProblem,
    NotFoundError,
    RequestRefusedError,
    ServerDownError,
    TimeUpError,
    UnavailableError,
)
from backend.client.events import Event
from backend.client.sync import Client
from backend.client.target import Target, find_target

__all__ = [
    "AccessRefusedError",
    "ApiError",
    "AsyncClient",
    "BadAnswerError",
    "BrokenOffError",
    "Client",
    "ClientError",
    "ConflictError",
    "Event",
    "FieldProblem",
    "NotFoundError",
    "RequestRefusedError",
    "ServerDownError",
    "Target",
    "TimeUpError",
    "UnavailableError",
    "find_target",
]
