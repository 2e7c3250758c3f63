"""What can be said of an export, and which items it takes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backend.api.items.schemas import item_out
from backend.api.language import Speech
from backend.api.query import QueryModel
from backend.api.shapes import Word
from backend.api.tasks.schemas import Label, Moment, Title
from backend.domain.item import Item
from backend.domain.task import Task
from backend.services.exports.columns import BY_NAME, chosen
from backend.services.exports.service import ExportRequest, Format
from backend.services.exports.walk import Scope
from backend.store.item_reads import ItemFilter
from backend.store.task_queries import TaskQuery

_MAX_COLUMNS = 100
_ZONE_WANTED = {"zh": "须为时区名，例如 Asia/Shanghai", "en": "Must be the name of a time zone, such as Asia/Shanghai"}
# Of the query, what says how and not what.
_FORM = frozenset({"format", "columns", "distinct", "tz", "lang"})


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):
        # ZoneInfoNotFoundError is a KeyError for most names, an OSError for folders.
        raise PydanticCustomError("NOT_ALLOWED", "no such time zone", _ZONE_WANTED) from None
    except KeyError:
        raise PydanticCustomError("NOT_ALLOWED", "no such time zone", _ZONE_WANTED) from None
    return name


def _column(name: str) -> str:
    if name not in BY_NAME:
        names = "、".join(BY_NAME)
        wanted = {"zh": f"没有这一列；可选 {names}", "en": f"No such column; there are {names}"}
        raise PydanticCustomError("NOT_ALLOWED", "no such column", wanted)
    return name


class ExportQuery(QueryModel):
    """How a file is made."""

    format: Format
    columns: tuple[Annotated[str, AfterValidator(_column)], ...] = Field(
        (), max_length=_MAX_COLUMNS, description=f"Of {', '.join(BY_NAME)}; in this order"
    )
    distinct: bool = Field(False, description="Of each item of a platform only the newest row")
    tz: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_zone)] = Field(
        "Asia/Shanghai", description="Time zone of the times in csv and xlsx"
    )
    lang: Literal["zh", "en"] | None = Field(None, description="Of the headings; else Accept-Language decides")


class ItemsExportQuery(ExportQuery):
    """Which items of which tasks."""

    q: Title | None = Field(None, description="Part of the title or the text")
    platform: Word | None = None
    kind: Literal["page", "post", "comment", "creator", "media"] | None = None
    task_id: Word | None = None
    batch_id: Word | None = None
    label: Label | None = None
    from_: Moment | None = Field(None, alias="from", description="First seen at this time or later")
    to: Moment | None = Field(None, description="First seen before this time")


def export_of_task(query: ExportQuery, task: Task, *, speech: Speech, by: str) -> ExportRequest:
    """Return the export of one task's items."""
    scope = Scope(TaskQuery(), task=task, is_distinct=query.distinct)
    return _request(query, scope, speech, by)


def export_of_items(query: ItemsExportQuery, *, speech: Speech, by: str) -> ExportRequest:
    """Return the export of the items that match."""
    ids = () if query.task_id is None else (query.task_id,)
    tasks = TaskQuery(ids=ids, platform=query.platform, batch_id=query.batch_id, label=query.label)
    wanted = ItemFilter(query.kind, query.from_, query.to)
    return _request(query, Scope(tasks, None, wanted, query.q, query.distinct), speech, by)


def _request(query: ExportQuery, scope: Scope, speech: Speech, by: str) -> ExportRequest:
    given = query.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    return ExportRequest(
        scope=scope,
        format=query.format,
        columns=chosen(query.columns),
        has_chosen_columns=bool(query.columns),
        zone_name=query.tz,
        language=query.lang or speech.record,
        by=by,
        shape=_shape,
        filters={name: str(value) for name, value in given.items() if name not in _FORM},
    )


def _shape(item: Item) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = item_out(item, with_raw=False)
    return shown
