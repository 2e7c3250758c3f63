"""What a site answers instead of what was asked for, as an outcome with a name, words and advice."""

from dataclasses import dataclass
from http import HTTPStatus

from backend.domain.challenge import ChallengeKind
from backend.domain.text import Text


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. `error` is a word of the API; `outcome` (blocked | failed) is how the call counts in the books.

    `may_pass`: asking again after a while can help. `is_whole`: everything else would be refused too, so the task
    stops here. `needs`: what a person has to solve before it can go on.
    """

    error: str
    message: Text
    advice: Text | None = None
    outcome: str = "blocked"
    may_pass: bool = False
    is_whole: bool = False
    needs: ChallengeKind | None = None
    retry_after_s: float | None = None


_SLOWER = Text("降低速度或稍后再试", "Go slower, or try later")

EMPTY_ANSWER = Refusal(
    "BLOCKED",
    Text(
        "站点返回了空的应答，视为拒绝，不是没有结果", "The site answered with nothing: a refusal, not an empty result"
    ),
    Text("稍后再试；确认浏览器中的账号能正常浏览", "Try later; check that the account can browse in the browser"),
    may_pass=True,
)
EMPTY_PAGE = Refusal(
    "BLOCKED",
    Text("页面上没有数据，视为拒绝，不是没有结果", "The page came without its data: a refusal, not an empty result"),
    Text("稍后再试；确认浏览器中能正常打开这个页面", "Try later; check that the page opens in the browser"),
    may_pass=True,
)
UNREADABLE = Refusal(
    "PARSE_FAILED",
    Text("站点的应答无法读取，可能已改版", "The site's answer cannot be read; it may have changed"),
    Text("升级到最新版本，或反馈给开发者", "Upgrade to the latest version, or report it"),
    outcome="failed",
)
NOTHING_TO_PRESS = Refusal(
    "PARSE_FAILED",
    Text("页面上找不到继续加载的按钮，可能已改版", "The page has nothing to press for more; it may have changed"),
    Text("升级到最新版本，或反馈给开发者", "Upgrade to the latest version, or report it"),
    outcome="failed",
)
STOPPED_SHORT = Refusal(
    "NO_ANSWER",
    Text("站点表示还有更多，但页面不再加载", "The site says that there is more, and its page loads none"),
    Text("已取得的结果都已保存；稍后重试可能取得更多", "What came is stored; a later task may get more"),
    outcome="failed",
    may_pass=True,
)
NO_ANSWER = Refusal(
    "NO_ANSWER",
    Text("页面没有在限定时间内取得应答", "The page got no answer in time"),
    Text("检查网络后重试", "Check the network and retry"),
    outcome="failed",
    may_pass=True,
)


def refusal_of_status(status: int, *, retry_after_s: float | None = None) -> Refusal | None:
    """Return what an HTTP status means when a page asked for data, or None when it is a good one."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status == HTTPStatus.UNAUTHORIZED:
        return Refusal(
            "NEEDS_LOGIN",
            Text("站点要求登录", "The site asks for a login"),
            Text("在浏览器中登录后点“继续”", "Log in with the browser, then resume"),
            needs=ChallengeKind.LOGIN,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refusal(
            "THROTTLED",
            Text("站点要求放慢 (429)", "The site asks to go slower (429)"),
            _SLOWER,
            may_pass=True,
            retry_after_s=retry_after_s,
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = Text(f"站点出错 ({status})", f"The site failed ({status})")
        return Refusal("HTTP_STATUS", message, _SLOWER, outcome="failed", may_pass=True, retry_after_s=retry_after_s)
    return Refusal("BLOCKED", Text(f"站点拒绝了访问 ({status})", f"The site refused ({status})"), _SLOWER)
