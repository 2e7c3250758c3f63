"""How a crawl of pages ends: succeeded, partial or failed, and in which words."""

from datetime import datetime

from backend.domain.item import Page
from backend.domain.task import Books, Ending, Stage, TaskError, TaskStatus
from backend.domain.text import Text

_PASSING = frozenset({"DEADLINE", "NO_ANSWER", "BROKEN_ANSWER", "CONNECT_FAILED", "DNS_FAILED", "THROTTLED"})
_REASONS = {
    "robots": (
        "BLOCKED",
        Text("robots.txt 不允许抓取这些网址", "robots.txt does not allow these URLs"),
        Text("换成允许抓取的网址；自己的站点可以关闭“遵守 robots.txt”", "Use URLs that are allowed"),
    ),
    "content_type": (
        "CONTENT_TYPE",
        Text("起始网址不是网页", "The start URLs are not pages"),
        Text("换成 HTML 或纯文本的网址", "Use URLs of HTML or plain text"),
    ),
    "scope": (
        "HTTP_STATUS",
        Text("起始网址跳转到了抓取范围之外", "The start URLs redirect out of the scope"),
        Text("改用跳转后的网址作为起始网址", "Start from the URL it redirects to"),
    ),
}
_ADVICE = {
    "PRIVATE_ADDRESS": Text(
        "内网地址默认不允许；管理员可以用 ALLOW_PRIVATE_NETWORKS 开放",
        "Private addresses are refused; an operator can open them with ALLOW_PRIVATE_NETWORKS",
    ),
    "BLOCKED": Text("站点拒绝了访问；请降低速度或稍后再试", "The site refused; go slower or try later"),
    "THROTTLED": Text("站点要求放慢；请加大请求间隔后重试", "The site asks to go slower; raise the delay and retry"),
    "HTTP_STATUS": Text("检查网址是否正确", "Check the URL"),
}


def ending_of(books: Books, first: Page | None, *, now: datetime) -> Ending:
    """Return the end that the books tell; `first` is the first page that failed or was blocked."""
    wrong = books.failed + books.blocked
    if books.ok and not wrong:
        return Ending(TaskStatus.SUCCEEDED, Text(f"完成，保存 {books.stored} 页", f"Done, {books.stored} pages stored"))
    if books.ok:
        text = Text(
            f"部分完成，保存 {books.stored} 页，{wrong} 页未取得", f"{books.stored} pages stored, {wrong} not obtained"
        )
        return Ending(TaskStatus.PARTIAL, text)
    error = _error(books, first, now)
    return Ending(TaskStatus.FAILED, error.message, error)


def _error(books: Books, first: Page | None, now: datetime) -> TaskError:
    if first is not None:
        name = first.error or "INTERNAL"
        status = f" ({first.http_status})" if first.http_status is not None else ""
        message = Text(f"没有取得任何页面: {name}{status}", f"No page was obtained: {name}{status}")
        return TaskError(name, message, _ADVICE.get(name), name in _PASSING, now, Stage.FETCH, first.url)
    reason = next((reason for reason in _REASONS if books.skipped_by.get(reason)), None)
    if reason is not None:
        name, message, advice = _REASONS[reason]
        return TaskError(name, message, advice, False, now, Stage.FETCH)
    # Pages without a word are no statement of the site that it has nothing.
    message = Text("站点只返回了空白页面", "The site returned nothing but empty pages")
    return TaskError("BLOCKED", message, _ADVICE["BLOCKED"], False, now, Stage.FETCH)
