"""How a crawl of units ends: succeeded, partial or failed, and in which words."""

from datetime import datetime

from backend.crawl.refusal import Refusal
from backend.domain.task import Books, Ending, Stage, TaskError, TaskStatus
from backend.domain.text import Text

_PASSING = frozenset({"DEADLINE", "NO_ANSWER", "BROKEN_ANSWER", "CONNECT_FAILED", "DNS_FAILED", "THROTTLED"})
_NO_RESULTS = Text("站点表示没有结果", "The source says there are no results")
_NONE_FITS = Text("没有符合条件的结果", "There are results, and none fits what was asked for")
_ADVICE = Text("查看日志中的原因后重试", "See the reason in the log, then retry")


def ending_of_units(books: Books, refusal: Refusal | None, wrong: str | None, *, now: datetime) -> Ending:
    """Return the end that the books tell.

    `refusal` is the last one of this attempt; `wrong` names an error of some unit, of an earlier attempt too.
    """
    missing = books.failed + books.blocked
    if not missing:
        return Ending(TaskStatus.SUCCEEDED, _succeeded(books))
    if books.stored:
        why = refusal.message if refusal is not None else Text(str(wrong), str(wrong))
        text = Text(
            f"部分完成，保存 {books.stored} 条，{missing} 次读取未成功: {why.zh}",
            f"{books.stored} items stored; {missing} reads did not succeed: {why.en}",
        )
        return Ending(TaskStatus.PARTIAL, text)
    error = _error(refusal, wrong, now)
    return Ending(TaskStatus.FAILED, error.message, error)


def _succeeded(books: Books) -> Text:
    if books.stored:
        return Text(f"完成，保存 {books.stored} 条", f"Done, {books.stored} items stored")
    return _NONE_FITS if books.skipped else _NO_RESULTS


def _error(refusal: Refusal | None, wrong: str | None, now: datetime) -> TaskError:
    if refusal is not None:
        return TaskError(refusal.error, refusal.message, refusal.advice, refusal.may_pass, now, Stage.FETCH)
    name = wrong or "INTERNAL"
    message = Text(f"没有取得任何结果: {name}", f"Nothing was obtained: {name}")
    return TaskError(name, message, _ADVICE, name in _PASSING, now, Stage.FETCH)
