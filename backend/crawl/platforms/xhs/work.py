"""What the readers of one attempt share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.core.clock import Clock
from backend.crawl.browsing import Visit
from backend.crawl.feed import Patience
from backend.crawl.platforms.xhs.links import Addresses
from backend.crawl.platforms.xhs.mapping import Mapper
from backend.crawl.platforms.xhs.plan import Plan
from backend.crawl.saved_media import MediaSaver
from backend.domain.execution import TaskContext
from backend.domain.item import Item
from backend.store.items import ItemStore

_MEDIA = {"images": frozenset({"image"}), "all": frozenset({"image", "video"})}


@dataclass(slots=True)
class Work:
    """The task, its page, what is stored of it, and how the site's objects become items.

    `items` is reached. `posts` are the ids of all stored notes; `queued` is how many units each lane has.
    """

    context: TaskContext
    plan: Plan
    visit: Visit
    mapper: Mapper
    addresses: Addresses
    patience: Patience
    clock: Clock
    items: ItemStore
    media: MediaSaver | None
    posts: set[str] = field(default_factory=set)
    queued: Mapping[str, int] = field(default_factory=dict)

    async def with_media(self, item: Item) -> Item:
        """Return the item with the files that the task wants of it."""
        types = _MEDIA.get(self.plan.depth.media)
        return item if types is None or self.media is None else await self.media.saved(item, types=types)
