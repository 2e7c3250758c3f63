"""Exports: at most three at once, each streamed as it is made, ended at once when its reader goes away."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from loguru import logger

from backend.core.children import Children
from backend.core.clock import Clock
from backend.core.threads import in_thread
from backend.domain.errors import BusyError, MediaCrawerError
from backend.domain.platform import PlatformInfo
from backend.domain.text import Text
from backend.services.artifact_service import file_chunks
from backend.services.exports.columns import Column
from backend.services.exports.overview import ExportFacts, Overview
from backend.services.exports.text_formats import Csv, JsonArray, JsonLines, Shape, TextFormat, flat_shape, local
from backend.services.exports.walk import ItemWalk, Page, Scope, WorkFolder, counted
from backend.services.exports.workbook import Workbook, WorkbookFailedError, WorkbookLook
from backend.store.audit import AuditStore
from backend.store.item_reads import ItemReads
from backend.store.task_queries import TaskQueries

Format = Literal["json", "jsonl", "csv", "xlsx"]
MEDIA_TYPES: Mapping[str, str] = {
    "json": "application/json; charset=utf-8",
    "jsonl": "application/x-ndjson; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
AT_ONCE = 3
# The number in a file's name is worth no longer wait.
_COUNT_WITHIN_S = 2.0
_MAX_TITLE_CHARS = 60
# What a file name may not hold on one system or another.
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f\s]+')
_BUSY = Text(f"同时进行的导出已达 {AT_ONCE} 个，请稍后再试", f"{AT_ONCE} exports are under way already; try again soon")
_RESULTS = Text("结果", "results")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and how. `shape` gives an item as the API shows it; `filters` are words for the notes."""

    scope: Scope
    format: Format
    columns: Sequence[Column]
    has_chosen_columns: bool
    zone_name: str
    language: Literal["zh", "en"]
    by: str
    shape: Shape
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Export:
    """An export that can begin; `kinds` has how many items there are of each, None when counting took too long.

    What of them stands in the file is fewer when a text is sought, or when the newest of several are taken.
    """

    request: ExportRequest
    file_name: str
    media_type: str
    kinds: Mapping[str, int] | None


class ExportService:
    """Plans exports and makes their bytes."""

    def __init__(
        self,
        reads: ItemReads,
        queries: TaskQueries,
        *,
        work_folder: WorkFolder,
        children: Children,
        platforms: Mapping[str, PlatformInfo],
        clock: Clock,
        audit: AuditStore | None = None,
    ) -> None:
        self._reads = reads
        self._queries = queries
        self._work_folder = work_folder
        self._children = children
        self._platforms = platforms
        self._clock = clock
        self._audit = audit
        self._live: set[asyncio.Task[Any]] = set()

    @property
    def live(self) -> int:
        """How many exports are under way."""
        return len(self._live)

    async def plan(self, request: ExportRequest) -> Export:
        """Count what there is, as far as that is quick, and name the file. Raises BusyError, StoreUnavailableError."""
        self._refuse_when_busy()
        kinds = await self._counted(request)
        return Export(request, self._file_name(request, kinds), MEDIA_TYPES[request.format], kinds)

    async def chunks(self, export: Export) -> AsyncGenerator[bytes, None]:
        """Yield the file; the first chunk comes when the first items have been read, and may be empty.

        To be closed (`aclosing`), which ends it. Raises BusyError, StoreUnavailableError, WorkbookFailedError,
        TaskFailedError DISK_FULL. What has been yielded by then is no whole file.
        """
        with self._recorded(export) as sent:
            if self._audit is not None:
                await self._audit.add("export", by=export.request.by, subject=_what(export), detail=export.file_name)
            made = self._workbook(export) if export.request.format == "xlsx" else self._text(export)
            async with aclosing(made) as chunks:
                async for chunk in chunks:
                    sent.size_bytes += len(chunk)
                    yield chunk
            sent.is_whole = True

    async def stop(self) -> None:
        """End what is under way; call it before the stores close."""
        while self._live:
            running = set(self._live)
            for one in running:
                one.cancel()
            await asyncio.wait(running)
            await asyncio.sleep(0)

    # -- formats -------------------------------------------------------------------------------------------------

    async def _text(self, export: Export) -> AsyncGenerator[bytes, None]:
        made = _text_format(export.request)
        head = made.begin()
        walk = self._walk(export.request.scope)
        async with aclosing(walk.pages()) as pages:
            async for page in pages:
                yield head + await in_thread(lambda: made.page(page))  # noqa: B023 - awaited at once
                head = b""
        yield head + made.end()

    async def _workbook(self, export: Export) -> AsyncGenerator[bytes, None]:
        request = export.request
        walk = self._walk(request.scope)
        zone = ZoneInfo(request.zone_name)
        look = WorkbookLook(
            *(request.columns, request.language, zone, request.zone_name),
            has_chosen_columns=request.has_chosen_columns,
        )
        facts = ExportFacts(self._clock.now(), request.by, request.filters, request.scope.is_distinct)
        overview = Overview(look, facts, self._platforms)
        single = request.scope.task

        def last_sheet() -> list[Sequence[str | int | float | None]]:
            tasks = list(walk.tasks.values()) if single is None else [single]
            return overview.rows(tasks, has_more=walk.has_more_tasks, is_single=single is not None)

        book = Workbook(look, kinds=tuple(export.kinds or ()), children=self._children)
        async with aclosing(walk.pages()) as pages:
            first = await anext(pages, None)
            # The reader is told that it has begun: the file comes only when it is whole.
            yield b""
            async with self._work_folder() as folder:
                path = await book.write(_with_first(first, pages), folder, last_sheet)
                size_bytes = await in_thread(lambda: path.stat().st_size)
                async with aclosing(file_chunks(path, 0, size_bytes)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    # -- below ---------------------------------------------------------------------------------------------------

    def _walk(self, scope: Scope) -> ItemWalk:
        return ItemWalk(scope, reads=self._reads, queries=self._queries, work_folder=self._work_folder)

    async def _counted(self, request: ExportRequest) -> Mapping[str, int] | None:
        found: dict[str, int] = {}
        try:
            async with asyncio.timeout(_COUNT_WITHIN_S):
                wanted = request.scope.wanted
                groups = counted(self._walk(request.scope), lambda ids: self._reads.count(ids, wanted))
                async with aclosing(groups) as counts:
                    async for count in counts:
                        for kind, items in count.items():
                            found[kind] = found.get(kind, 0) + items
        except TimeoutError:
            return None
        return found

    def _file_name(self, request: ExportRequest, kinds: Mapping[str, int] | None) -> str:
        is_english = request.language == "en"
        today = local(self._clock.now(), ZoneInfo(request.zone_name))
        parts = [*self._subject(request), f"{today:%Y%m%d}"]
        if kinds is not None and request.scope.is_countable:
            count = sum(kinds.values())
            parts.append(f"{count}_items" if is_english else f"{count}条")
        return f"{'_'.join(part for part in parts if part)}.{request.format}"

    def _subject(self, request: ExportRequest) -> list[str]:
        task, query = request.scope.task, request.scope.query
        platform_id = query.platform if task is None else task.platform
        platform = self._platforms.get(platform_id or "")
        title = request.scope.text or query.label or _say(_RESULTS, request) if task is None else task.title
        place = platform_id or "" if platform is None else _say(platform.title, request)
        return [_name_part(title), _name_part(place)]

    def _refuse_when_busy(self) -> None:
        if len(self._live) >= AT_ONCE:
            raise BusyError(_BUSY)

    @contextmanager
    def _recorded(self, export: Export) -> "Iterator[_Sent]":
        """Hold a place, and write down who took what, and how it ended."""
        self._refuse_when_busy()
        request = export.request
        said = (_what(export), request.format, request.by)
        begun, sent = self._clock.elapsed(), _Sent()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - an async generator runs in its reader's task
        self._live.add(task)
        logger.info("📤 导出开始: {} {} by {}", *said)
        try:
            yield sent
        except (MediaCrawerError, WorkbookFailedError) as error:
            sent.why = error.name if isinstance(error, MediaCrawerError) else str(error)
            raise
        finally:
            self._live.discard(task)
            took_s = self._clock.elapsed() - begun
            if sent.is_whole:
                logger.info("✅ 导出完成: {} {} by {}, {} 字节, {:.1f} s", *said, sent.size_bytes, took_s)
            else:
                logger.warning("导出中断: {} {} by {}, {}, {} 字节, {:.1f} s", *said, sent.why, sent.size_bytes, took_s)


@dataclass(slots=True)
class _Sent:
    """How far an export got; `why` it did not get to its end."""

    size_bytes: int = 0
    is_whole: bool = False
    why: str = "读取方断开"


def _what(export: Export) -> str:
    task = export.request.scope.task
    return "items" if task is None else task.task_id


def _text_format(request: ExportRequest) -> TextFormat:
    if request.format == "csv":
        zone = ZoneInfo(request.zone_name)
        return Csv(request.columns, language=request.language, zone=zone, zone_name=request.zone_name)
    shape = flat_shape(request.columns) if request.has_chosen_columns else request.shape
    return JsonArray(shape) if request.format == "json" else JsonLines(shape)


async def _with_first(first: Page | None, rest: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
    async with aclosing(rest) as pages:
        if first is not None:
            yield first
            async for page in pages:
                yield page


def _name_part(text: str) -> str:
    return _NOT_IN_NAMES.sub(" ", text).strip(" .")[:_MAX_TITLE_CHARS].strip(" .").replace(" ", "-")


def _say(text: Text, request: ExportRequest) -> str:
    return text.en if request.language == "en" else text.zh
