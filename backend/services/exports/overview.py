"""The last sheet of an Excel file: what the tasks were asked, how their books stand, and how to read the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson

from backend.domain.platform import PlatformInfo
from backend.domain.task import Task, TaskStatus
from backend.domain.text import Text
from backend.services.exports.text_formats import local
from backend.services.exports.workbook import Cell, WorkbookLook

Row = Sequence[Cell]

_STATUS: Mapping[TaskStatus, Text] = {
    TaskStatus.HELD: Text("未开始", "Held"),
    TaskStatus.PENDING: Text("排队", "Pending"),
    TaskStatus.RUNNING: Text("运行中", "Running"),
    TaskStatus.WAITING: Text("等待处理", "Waiting"),
    TaskStatus.CANCELLING: Text("取消中", "Cancelling"),
    TaskStatus.CANCELLED: Text("已取消", "Cancelled"),
    TaskStatus.SUCCEEDED: Text("成功", "Succeeded"),
    TaskStatus.PARTIAL: Text("部分完成", "Partial"),
    TaskStatus.FAILED: Text("失败", "Failed"),
    TaskStatus.TIMED_OUT: Text("超时", "Timed out"),
}
_BOOKS: Mapping[str, Text] = {
    "requested": Text("请求", "Requested"),
    "ok": Text("成功", "OK"),
    "empty": Text("空", "Empty"),
    "blocked": Text("被拒", "Blocked"),
    "failed": Text("失败", "Failed"),
    "skipped": Text("跳过", "Skipped"),
    "aborted": Text("中断", "Aborted"),
    "stored": Text("保存", "Stored"),
    "queued_left": Text("未处理", "Left in the queue"),
    "reported_total": Text("来源报告的总数", "Total the source reports"),
    "fetched_unique": Text("去重后", "Fetched, unique"),
}
_DISTINCT = (Text("去重", "Distinct"), Text("同一条内容只保留最新的一份", "Of each item only the newest row"))
_NOT_ENDED = (
    Text("注意", "Mind"),
    Text("任务尚未全部结束，这里是导出时已保存的结果", "Not every task has ended: these are the results so far"),
)
_NOTES = (
    (Text("空白单元格", "Empty cells"), Text("来源没有给出该值", "The source gave no value")),
    (
        Text("隐藏的列", "Hidden columns"),
        Text(
            "整列为空的列，和供程序使用的列（编号、校验等）",
            "Those in which nothing stands, and those for programs (ids, hashes)",
        ),
    ),
    (
        Text("作者", "Authors"),
        Text(
            "名称打码、编号为加盐哈希，除非任务另有要求",
            "Names are masked and ids salted hashes, unless the task asked otherwise",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the notes say of the export itself; `filters` are the words of the query."""

    at: datetime
    by: str
    filters: Mapping[str, str]
    is_distinct: bool


class Overview:
    """Makes the rows of the sheet: of one task everything, of many a line each."""

    def __init__(self, look: WorkbookLook, facts: ExportFacts, platforms: Mapping[str, PlatformInfo]) -> None:
        self._look = look
        self._facts = facts
        self._platforms = platforms

    def rows(self, tasks: Sequence[Task], *, has_more: bool, is_single: bool) -> list[Row]:
        """Return the rows; a row of one cell is a heading."""
        made = list(self._one(tasks[0])) if is_single else list(self._many(tasks, has_more=has_more))
        return [*made, *self._notes(tasks)]

    def _one(self, task: Task) -> Iterator[Row]:
        info = self._platforms.get(task.platform)
        kind = None if info is None else info.type(task.type)
        yield [self._say("任务", "Task")]
        yield [self._say("标题", "Title"), task.title]
        yield [self._say("任务编号", "Task ID"), task.task_id]
        yield [self._say("平台", "Platform"), task.platform if info is None else self._text(info.title)]
        yield [self._say("类型", "Type"), task.type if kind is None else self._text(kind.title)]
        yield [self._say("状态", "Status"), self._text(_STATUS[task.status])]
        if task.error is not None:
            yield [self._say("原因", "Why"), f"{self._text(task.error.message)} ({task.error.name})"]
        if task.labels:
            yield [self._say("标签", "Labels"), "、".join(task.labels)]
        yield [self._say("创建者", "Created by"), task.created_by]
        for zh, en, moment in (
            ("创建时间", "Created", task.created_at),
            ("开始时间", "Started", task.started_at),
            ("结束时间", "Ended", task.ended_at),
        ):
            if moment is not None:
                yield [f"{self._say(zh, en)} ({self._look.zone_name})", self._time(moment)]
        yield [self._say("参数", "Parameters")]
        properties = {} if kind is None else kind.model.model_json_schema().get("properties", {})
        for name, value in task.params.items():
            yield [self._title_of(name, properties.get(name, {})), self._param(value)]
        yield [self._say("账目", "Books")]
        for book in fields(task.books):
            count = getattr(task.books, book.name)
            if book.name in _BOOKS and count is not None:
                yield [self._text(_BOOKS[book.name]), f"{count:,}"]

    def _many(self, tasks: Sequence[Task], *, has_more: bool) -> Iterator[Row]:
        yield [self._say("有结果的任务", "Tasks with results")]
        for task in tasks:
            info = self._platforms.get(task.platform)
            about = [
                task.platform if info is None else self._text(info.title),
                self._text(_STATUS[task.status]),
                self._time(task.created_at),
                task.title,
            ]
            yield [task.task_id, " · ".join(about)]
        if has_more:
            yield ["…", self._say("任务过多，其余未列出", "There are more tasks than are listed here")]

    def _notes(self, tasks: Sequence[Task]) -> Iterator[Row]:
        facts = self._facts
        yield [self._say("说明", "Notes")]
        yield [f"{self._say('导出时间', 'Exported')} ({self._look.zone_name})", self._time(facts.at)]
        yield [self._say("导出者", "Exported by"), facts.by]
        if facts.filters:
            said = "\n".join(f"{name} = {value}" for name, value in facts.filters.items())
            yield [self._say("筛选条件", "Filters"), said]
        notes = [_DISTINCT] if facts.is_distinct else []
        notes += [] if all(task.status.is_final for task in tasks) else [_NOT_ENDED]
        for label, note in (*notes, *_NOTES):
            yield [self._text(label), self._text(note)]

    def _title_of(self, name: str, schema: Mapping[str, Any]) -> str:
        titles: Mapping[str, str] = schema.get("x-i18n", {})
        return titles.get(self._look.language, name)

    def _param(self, value: Any) -> Cell:
        if isinstance(value, bool):
            return self._say("是", "yes") if value else self._say("否", "no")
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return "\n".join(value)
        return value if isinstance(value, str) or value is None else orjson.dumps(value, default=str).decode()

    def _time(self, moment: datetime) -> str:
        return local(moment, self._look.zone).isoformat(" ", "seconds")

    def _say(self, zh: str, en: str) -> str:
        return en if self._look.language == "en" else zh

    def _text(self, text: Text) -> str:
        return self._say(text.zh, text.en)
