"""What a person is shown of a task that waits for one: the challenge, and its pictures."""

from dataclasses import dataclass

from backend.domain.challenge import picture_type
from backend.domain.errors import NotFoundError
from backend.domain.task import Task
from backend.domain.text import Text
from backend.store.challenges import ChallengeStore, Picture, ShownChallenge


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture, and what it is: `image/png` or `image/jpeg`."""

    content: bytes
    media_type: str


class ChallengeService:
    """Finds what is shown of a task now."""

    def __init__(self, challenges: ChallengeStore) -> None:
        self._challenges = challenges

    async def of(self, task: Task) -> ShownChallenge:
        """Return what a person is to do for this task. Raises NotFoundError when nobody is needed."""
        found = await self._challenges.of(task)
        if found is None:
            raise NotFoundError(
                Text("这个任务现在没有需要人工处理的内容", "Nothing of this task waits for a person now")
            )
        return found

    async def picture(self, task: Task, which: Picture) -> ShownPicture:
        """Return a picture of it. Raises NotFoundError when there is none now."""
        content = await self._challenges.picture(task, which)
        media_type = None if content is None else picture_type(content)
        if content is None or media_type is None:
            raise NotFoundError(Text("现在没有这张图片", "There is no such picture now"))
        return ShownPicture(content, media_type)
