"""`/tasks/{id}/challenge`: what a person is to solve, and its pictures; gone when it is solved."""

from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery, QueryModel
from backend.api.tasks.handlers import TaskPartHandler
from backend.api.wire import stamp
from backend.domain.errors import NotFoundError
from backend.domain.text import Text
from backend.store.challenges import PICTURES, ShownChallenge

_PATH = "/api/v1/tasks/{task_id}/challenge"
_MISSING = ("TASK_NOT_FOUND", "NOT_FOUND")


class ChallengeOut(TypedDict):
    """What waits for a person. A picture's URL is another when the picture is."""

    kind: Literal["login", "captcha", "qr"]
    screenshot_url: str | None
    qr_url: str | None
    page_url: str | None
    since: str


class PictureQuery(QueryModel):
    """`v` is another for each picture, so that a page asks anew; it chooses nothing."""

    v: str = Field("", max_length=40)


class TaskChallengeHandler(TaskPartHandler):
    """What waits for a person."""

    async def get(self, task_id: str) -> None:
        """Read it, while the task waits for a person, with its page or without."""
        self.read_query(NoQuery)
        task = await self.find_task(task_id)
        self.write_data({**challenge_out(task_id, await self.services.challenges.of(task))})


class TaskChallengePictureHandler(TaskPartHandler):
    """A picture of what waits for a person: kept by nobody, since it may log somebody in."""

    async def get(self, task_id: str, which: str) -> None:
        """Send the screenshot or the QR code."""
        self.read_query(PictureQuery)
        task = await self.find_task(task_id)
        chosen = next((one for one in PICTURES if one == which), None)
        if chosen is None:
            raise NotFoundError(Text("没有这个地址", "Nothing is at this address"))
        picture = await self.services.challenges.picture(task, chosen)
        self.set_header("Content-Type", picture.media_type)
        self.finish(picture.content)


def challenge_out(task_id: str, one: ShownChallenge) -> ChallengeOut:
    """Return what waits for a person as it is shown."""
    return {
        "kind": one.kind.value,
        "screenshot_url": _url(task_id, "screenshot", one.screenshot_tag),
        "qr_url": _url(task_id, "qr", one.qr_tag),
        "page_url": one.page_url,
        "since": stamp(one.since),
    }


def _url(task_id: str, which: str, tag: str | None) -> str | None:
    return None if tag is None else f"{_PATH.format(task_id=task_id)}/{which}?v={tag}"


ROUTES = (
    Route(
        _PATH,
        TaskChallengeHandler,
        {"get": Operation("Read what waits for a person", ChallengeOut, errors=_MISSING)},
    ),
    Route(
        f"{_PATH}/{{picture}}",
        TaskChallengePictureHandler,
        {
            "get": Operation(
                "Read a picture of it: screenshot or qr",
                None,
                query=PictureQuery,
                errors=_MISSING,
                statuses={200: "The picture"},
                media_type="image/*",
            )
        },
    ),
)
