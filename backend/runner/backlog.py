"""Which platforms are known to have due tasks that wait: a newer task must not pass them."""

from collections.abc import Collection, Iterable, Iterator


class Backlog:
    """Platforms with waiting tasks. A look at MongoDB settles only what was known before it began."""

    def __init__(self) -> None:
        self._marked: dict[str, int] = {}
        self._marks = 0

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._marked))

    def __len__(self) -> int:
        return len(self._marked)

    def __contains__(self, platform: object) -> bool:
        return platform in self._marked

    def mark(self, *platforms: str) -> None:
        """Note that a task of each of these waits."""
        self._marks += 1
        self._marked |= dict.fromkeys(platforms, self._marks)

    def clear(self) -> None:
        """Forget all."""
        self._marked.clear()

    def begin_look(self) -> int:
        """Return what `settle` is told: the moment at which a look at MongoDB begins."""
        return self._marks

    def settle(self, begun: int, looked_at: Iterable[str], waiting: Collection[str]) -> None:
        """Note what a look found: of the platforms looked at, `waiting` still have tasks that wait."""
        for platform in looked_at:
            if self._marked.get(platform, 0) <= begun:
                self._marked.pop(platform, None)
        self.mark(*waiting)
