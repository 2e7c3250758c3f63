"""The language a command speaks: the LANGUAGE setting when it names one, else that of the terminal, else both."""

import os
from collections.abc import Mapping

from backend.api.language import Language, Speech
from backend.domain.text import Text

STATUS = {
    "held": Text("待开始", "held"),
    "pending": Text("排队", "pending"),
    "running": Text("运行中", "running"),
    "waiting": Text("等待处理", "waiting"),
    "cancelling": Text("正在取消", "cancelling"),
    "cancelled": Text("已取消", "cancelled"),
    "succeeded": Text("成功", "succeeded"),
    "partial": Text("部分成功", "partial"),
    "failed": Text("失败", "failed"),
    "timed_out": Text("超时", "timed out"),
}
STAGE = {
    "queued": Text("排队", "queued"),
    "start": Text("准备", "starting"),
    "fetch": Text("抓取", "fetching"),
    "store": Text("保存", "storing"),
    "submit": Text("提交", "submitting"),
    "poll": Text("等待结果", "waiting for the result"),
    "download": Text("下载", "downloading"),
    "render": Text("渲染", "rendering"),
    "needs_person": Text("需要人工处理", "needs a person"),
    "done": Text("完成", "done"),
}
UNIT = {
    "page": Text("页", "pages"),
    "post": Text("篇", "posts"),
    "note": Text("篇", "notes"),
    "item": Text("条", "items"),
    "frame": Text("帧", "frames"),
    "percent": Text("%", "%"),
}
BOOKS = {
    "ok": Text("成功", "ok"),
    "empty": Text("空", "empty"),
    "blocked": Text("被拦截", "blocked"),
    "failed": Text("失败", "failed"),
    "skipped": Text("跳过", "skipped"),
    "aborted": Text("中止", "aborted"),
    "stored": Text("已存", "stored"),
    "queued_left": Text("待抓", "queued"),
}


def terminal_speech(default: Language, environ: Mapping[str, str] | None = None) -> Speech:
    """Return the languages of this terminal: messages may come in both, labels come in one."""
    environ = os.environ if environ is None else environ
    named = default if default != "both" else _of_locale(environ)
    return Speech(envelope=named, record="en" if named == "en" else "zh")


def accept_language(speech: Speech) -> str | None:
    """Return the Accept-Language header for the server; None asks for both."""
    return {"zh": "zh-CN", "en": "en"}.get(speech.envelope)


def word(names: Mapping[str, Text], name: str, speech: Speech) -> str:
    """Return the word for one of the API's names; a name of a newer server is shown as it is."""
    return speech.tell(names.get(name, Text(name, name))) or name


def _of_locale(environ: Mapping[str, str]) -> Language:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(name, "")
        if value:
            return "zh" if value.startswith("zh") else "en" if value.startswith("en") else "both"
    return "both"
