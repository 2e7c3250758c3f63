"""Where the scenes come from: the parameters, or what a crawl task found."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.item import Item
from backend.domain.task import Stage
from backend.domain.text import Text
from backend.generate.providers.storyboard.params import MAX_SCENES, StoryboardParams
from backend.store.items import ItemStore

_PAGE = 200
_MAX_ITEMS_READ = 5_000
_HEADING_CHARS = 60
_SUMMARY_CHARS = 120
# A comment or an author's page is no scene.
_KINDS = frozenset({"page", "post"})
_SPACES = re.compile(r"\s+")
_END_OF_SENTENCE = re.compile(r".*[。！？!?；;]|.*\.(?=\s)")


@dataclass(frozen=True, slots=True)
class Scene:
    """What one card shows: a heading (of a crawled item), a text, the URL of a picture to draw them on."""

    text: str
    heading: str = ""
    image: str | None = None


async def scenes_of(params: StoryboardParams, items: ItemStore, context: TaskContext) -> list[Scene]:
    """Return the scenes to film, at most 100.

    Raises TaskFailedError RENDER_FAILED when the source task has none (or does not exist).
    """
    if params.from_task is None:
        return [Scene(one.text, image=one.image) for one in params.written_scenes()]
    scenes: list[Scene] = []
    async for item in _items_of(params.from_task, items, context):
        scene = _scene_of(item)
        if scene is not None:
            scenes.append(scene)
        if len(scenes) == MAX_SCENES:
            context.log("info", f"只取前 {MAX_SCENES} 条结果", limit=MAX_SCENES)
            break
    if not scenes:
        raise _nothing_to_film(params.from_task)
    return scenes


async def _items_of(task_id: str, items: ItemStore, context: TaskContext) -> AsyncIterator[Item]:
    cursor: str | None = None
    for _ in range(_MAX_ITEMS_READ // _PAGE):
        context.check()
        page = await items.list(task_id, limit=_PAGE, cursor=cursor)
        for item in page.items:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return


def _scene_of(item: Item) -> Scene | None:
    if item.kind not in _KINDS:
        return None
    heading, text = shortened(item.title or "", _HEADING_CHARS), shortened(item.text or "", _SUMMARY_CHARS)
    if not heading and not text:
        return None
    image = next((one.url for one in item.media if one.type == "image"), None)
    return Scene(text, heading=heading, image=image)


def shortened(text: str, limit: int) -> str:
    """Return the beginning of `text` on one line, at most `limit` characters, cut after a sentence where it can be."""
    # The beginning first: a page's text may be megabytes.
    line = _SPACES.sub(" ", text[: limit * 20]).strip()
    if len(line) <= limit:
        return line
    sentence = _END_OF_SENTENCE.match(line[:limit])
    if sentence and len(sentence[0]) >= limit // 2:
        return sentence[0]
    return line[: limit - 1].rstrip() + "…"


def _nothing_to_film(task_id: str) -> TaskFailedError:
    return TaskFailedError(
        "RENDER_FAILED",
        Text(
            f"来源任务没有可用的结果，或不存在: {task_id}",
            f"The source task has no results, or there is none: {task_id}",
        ),
        where=Stage.START,
        advice=Text("选择一个有结果的采集任务", "Choose a crawl task that has results"),
    )
