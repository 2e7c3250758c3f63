"""How a remote generation fails, in words a person can act on."""

from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.generation import JobFailed, Refused
from backend.domain.task import Stage
from backend.domain.text import Text

# Refusals that pass by themselves; only these are tried again.
PASSING = frozenset({"throttled", "overloaded"})

_BUSY = Text("服务商繁忙，稍后会自动重试", "The provider is busy; the task is tried again later")
_ADVICE = {
    "auth": Text("请检查并更新该平台的 API Key 后重试", "Check and renew the provider's API key, then retry"),
    "account": Text("请到服务商控制台检查账号状态", "Look at the account in the provider's console"),
    "quota": Text("余额或额度不足，请充值或等额度恢复后重试", "Out of quota or money: top up or wait, then retry"),
    "content_blocked": Text("请修改提示词或图片后重新创建", "Change the prompt or the picture and create a new task"),
    "permanent": Text("请检查任务参数后重新创建任务", "Check the parameters and create a new task"),
    "throttled": _BUSY,
    "overloaded": _BUSY,
}


def refused(answer: Refused, title: str) -> TaskFailedError:
    """Return the failure of a submit that the provider did not take."""
    is_passing = answer.error_class in PASSING
    return TaskFailedError(
        answer.error_name,
        _named(title, answer.message),
        where=Stage.SUBMIT,
        advice=_ADVICE.get(answer.error_class),
        can_retry=is_passing,
        retry_after_s=answer.retry_after_s if is_passing else None,
    )


def unreachable(error_name: str, title: str) -> TaskFailedError:
    """Return the failure of a submit that never left this machine."""
    return TaskFailedError(
        error_name,
        Text(f"无法连接 {title}，未提交任何内容", f"{title} cannot be reached; nothing was submitted"),
        where=Stage.SUBMIT,
        advice=Text("请检查网络与平台地址设置", "Check the network and the provider's address in the settings"),
        can_retry=True,
    )


def uncertain(title: str) -> TaskFailedError:
    """Return the failure of a submit of which nobody can say whether it was taken."""
    return TaskFailedError(
        "SUBMIT_UNCERTAIN",
        Text(
            f"无法确认 {title} 是否已接受本次提交，可能已计费",
            f"Nobody can say whether {title} took the job; it may be billed",
        ),
        where=Stage.SUBMIT,
        advice=Text(
            "请先到服务商控制台核对该任务；确认未生成后再点“重试”，重试会重新提交",
            "Look for the job in the provider's console first; a retry submits, and may pay, once more",
        ),
    )


def job_failed(answer: JobFailed, title: str) -> TaskFailedError:
    """Return the failure of a job that ended badly at the provider."""
    is_blocked = answer.error_name == "CONTENT_BLOCKED"
    advice = Text("可以“重试”，会重新提交一次", "A retry submits once more")
    return TaskFailedError(
        answer.error_name,
        _named(title, answer.message),
        where=Stage.POLL,
        advice=_ADVICE["content_blocked"] if is_blocked else advice,
    )


def poll_refused(answer: Refused, title: str) -> TaskFailedError | NeedsPersonError:
    """Return why an open job cannot be followed; a bad key or an empty account waits for a person."""
    if answer.error_class in {"auth", "account", "quota"}:
        return NeedsPersonError(answer.error_name, _named(title, answer.message), action=_ADVICE[answer.error_class])
    advice = Text("请到服务商控制台查看该任务", "Look at the job in the provider's console")
    return TaskFailedError(answer.error_name, _named(title, answer.message), where=Stage.POLL, advice=advice)


def no_outputs(title: str) -> TaskFailedError:
    """Return the failure of a job that says it succeeded and names no result."""
    message = Text("任务已完成但没有给出结果", "the job succeeded without a result")
    return TaskFailedError("UPSTREAM_FAILED", _named(title, message), where=Stage.POLL)


def result_expired(title: str) -> TaskFailedError:
    """Return the failure of a result whose link no longer gives it, and of which no fresh link is to be had."""
    return TaskFailedError(
        "RESULT_EXPIRED",
        Text(f"{title} 的结果链接已失效", f"The link to the result of {title} has expired"),
        where=Stage.DOWNLOAD,
        advice=Text("结果已无法取回，只能“重试”重新生成", "The result is gone; a retry generates it anew"),
    )


def wrong_content(title: str, detail: str) -> TaskFailedError:
    """Return the failure of a result that is something else than was ordered."""
    message = Text(f"结果文件类型不对（{detail}）", f"the result is of the wrong type ({detail})")
    return TaskFailedError("CONTENT_TYPE", _named(title, message), where=Stage.DOWNLOAD)


def unreadable_media(title: str, detail: str) -> TaskFailedError:
    """Return the failure of a result that came whole and cannot be played."""
    message = Text(f"结果文件损坏，无法解析（{detail}）", f"the result is damaged and cannot be read ({detail})")
    return TaskFailedError("PARSE_FAILED", _named(title, message), where=Stage.DOWNLOAD)


def download_failed(error_name: str, *, can_retry: bool) -> TaskFailedError:
    """Return the failure of a download; the job is done and stays on the record, so a retry only downloads."""
    return TaskFailedError(
        error_name,
        Text("结果下载失败", "The result could not be downloaded"),
        where=Stage.DOWNLOAD,
        advice=Text("请检查网络", "Check the network"),
        can_retry=can_retry,
    )


def _named(title: str, message: Text) -> Text:
    return Text(f"{title}: {message.zh}", f"{title}: {message.en}")
