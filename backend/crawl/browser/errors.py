"""What goes wrong with browsers, in the words of the task's record (names: design of the API, task.error).

BROWSER_NOT_CONNECTED   not there (a person is needed), or gone in the middle (another attempt goes on at its cursor)
DEADLINE                a page or a call in it took longer than its limit
PRIVATE_ADDRESS, SCHEME_REFUSED, BLOCKED     a navigation that is not let through
DNS_FAILED, CONNECT_FAILED, TLS_FAILED, NO_ANSWER, HTTP_STATUS, TOO_MANY_REDIRECTS     what the browser says of it
"""

from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.platform import Availability
from backend.domain.task import Stage
from backend.domain.text import Text

_NOT_CONNECTED = "BROWSER_NOT_CONNECTED"
_ATTACH_ADVICE = Text(
    "在 Chrome 打开 chrome://inspect/#remote-debugging 并勾选允许，出现提示时点允许，然后点“继续”",
    "Open chrome://inspect/#remote-debugging in Chrome and tick allow, accept its prompt, then resume the task",
)
_LAUNCH_ADVICE = Text(
    "在终端里启动一次该浏览器看看报错；关闭占用同一配置目录的窗口；然后点“继续”",
    "Start that browser once in a terminal and read what it says; close windows that use its profile; then resume",
)
_AGAIN_ADVICE = Text("任务会从断点重试", "The task is tried again where it stopped")
_NETWORK = {
    "ERR_NAME_NOT_RESOLVED": ("DNS_FAILED", Text("域名无法解析", "The name cannot be resolved")),
    "ERR_CERT_": ("TLS_FAILED", Text("证书无效", "The certificate is not valid")),
    "ERR_SSL_": ("TLS_FAILED", Text("加密连接失败", "The encrypted connection failed")),
    "ERR_EMPTY_RESPONSE": ("NO_ANSWER", Text("对方没有应答", "There was no answer")),
    "ERR_TOO_MANY_REDIRECTS": ("TOO_MANY_REDIRECTS", Text("跳转次数过多", "Too many redirects")),
    # An error status with an empty body: Chromium shows a page of its own.
    "ERR_HTTP_RESPONSE_CODE_FAILURE": (
        "HTTP_STATUS",
        Text("对方返回了错误状态", "The server answered with an error status"),
    ),
    "ERR_CONNECTION_": ("CONNECT_FAILED", Text("无法建立连接", "No connection could be made")),
    "ERR_ADDRESS_": ("CONNECT_FAILED", Text("无法建立连接", "No connection could be made")),
    "ERR_INTERNET_": ("CONNECT_FAILED", Text("无法建立连接", "No connection could be made")),
    "ERR_TIMED_OUT": ("DEADLINE", Text("连接超时", "The connection took too long")),
}
_REFUSALS = {
    "SCHEME_REFUSED": Text("只允许打开 https 网址", "Only https addresses are opened"),
    "PRIVATE_ADDRESS": Text("内网地址不允许打开", "Private addresses are not opened"),
    "BLOCKED": Text("页面跳转到了不属于该平台的主机", "The page leads to a host that is not the platform's"),
}


def no_browser(availability: Availability) -> NeedsPersonError:
    """The error of a machine that has no way in."""
    message = availability.message or Text("没有可用的浏览器", "There is no browser")
    return NeedsPersonError(availability.reason or "NO_BROWSER", message, action=availability.advice)


def not_attached(url: str, *, is_late: bool) -> NeedsPersonError:
    """The user's Chrome is not there, or did not let us in within the limit."""
    message = (
        Text(f"连接浏览器超时: {url}", f"The browser at {url} did not answer in time")
        if is_late
        else Text(f"无法连接浏览器: {url}", f"There is no browser to attach to at {url}")
    )
    return NeedsPersonError(_NOT_CONNECTED, message, action=_ATTACH_ADVICE)


def not_launched(detail: str) -> NeedsPersonError:
    """The browser was found, and ends as soon as it is started."""
    said = detail.strip().splitlines()[0][:200] if detail.strip() else ""
    message = Text(f"浏览器无法启动: {said}", f"The browser cannot be started: {said}")
    return NeedsPersonError(_NOT_CONNECTED, message, action=_LAUNCH_ADVICE)


def profile_taken(name: str) -> NeedsPersonError:
    """Another server has this account's browser open."""
    message = Text(
        f"另一个服务正在使用这个账号的浏览器: {name}", f"Another server has this account's browser open: {name}"
    )
    advice = Text(
        "停掉那个服务，或给它另一个 DATA_DIR，然后点“继续”", "Stop that server or give it its own DATA_DIR, then resume"
    )
    return NeedsPersonError(_NOT_CONNECTED, message, action=advice)


def launched_late() -> TaskFailedError:
    """The browser did not come up within the limit."""
    message = Text("浏览器启动超时", "The browser took too long to start")
    return TaskFailedError(_NOT_CONNECTED, message, where=Stage.START, can_retry=True, advice=_AGAIN_ADVICE)


def browser_gone() -> TaskFailedError:
    """The browser, or the program that speaks to it, has crashed or was closed."""
    message = Text("浏览器意外退出或被关闭", "The browser has crashed or was closed")
    return TaskFailedError(_NOT_CONNECTED, message, where=Stage.FETCH, can_retry=True, advice=_AGAIN_ADVICE)


def tab_gone(*, has_crashed: bool) -> TaskFailedError:
    """The tab has crashed, or a person closed it."""
    message = (
        Text("浏览器标签页崩溃", "The browser tab has crashed")
        if has_crashed
        else Text("浏览器标签页被关闭", "The browser tab was closed")
    )
    return TaskFailedError(_NOT_CONNECTED, message, where=Stage.FETCH, can_retry=True, advice=_AGAIN_ADVICE)


def page_hung(what: str, limit_s: float, url: str) -> TaskFailedError:
    """A call in the page took longer than its limit."""
    message = Text(f"页面 {limit_s:g} 秒内没有响应 ({what})", f"The page did not respond within {limit_s:g} s ({what})")
    return TaskFailedError("DEADLINE", message, where=Stage.FETCH, can_retry=True, url=url)


def refused(reason: str, url: str) -> TaskFailedError:
    """A navigation that the rules do not let through."""
    return TaskFailedError(reason, _REFUSALS[reason], where=Stage.FETCH, url=url)


def navigation_failed(detail: str, url: str) -> TaskFailedError:
    """What the browser said about a page that it could not open."""
    for sign, (name, message) in _NETWORK.items():
        if sign in detail:
            return TaskFailedError(name, message, where=Stage.FETCH, can_retry=name != "TLS_FAILED", url=url)
    message = Text("页面无法打开", "The page could not be opened")
    return TaskFailedError("BROKEN_ANSWER", message, where=Stage.FETCH, can_retry=True, url=url)
