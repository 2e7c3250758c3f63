"""`mediacrawer crawl` and `mediacrawer generate`: make a task and see it through."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

EXIT_CODES = (
    "退出码 / exit codes: 0 成功 succeeded · 1 失败或超时 failed, timed out · 2 无法执行 cannot ·"
    " 3 部分成功 partial · 4 等待人工处理 waiting for a person · 130 已取消 cancelled"
)

Params = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="任务参数，可重复 / A parameter of the task; repeatable."),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="服务器地址 / The server; else MEDIACRAWER_URL, the one that runs here, or one of its own."
        " 令牌 / token: MEDIACRAWER_TOKEN.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="只输出最终记录 / The record at the end as JSON, nothing else.")]
TaskType = Annotated[
    str | None, typer.Option("--type", help="任务类型 / Type of the task; else the platform's default.")
]
Title = Annotated[str | None, typer.Option(help="标题 / Title of the task.")]


def register(app: typer.Typer) -> None:
    """Add the commands that make a task."""
    app.command(epilog=EXIT_CODES)(crawl)
    app.command(epilog=EXIT_CODES)(generate)


def crawl(
    target: Annotated[str | None, typer.Argument(metavar="URL", help="起始网址 / Where to begin.")] = None,
    *,
    platform: Annotated[str, typer.Option(help="平台 / Platform.")] = "web",
    task_type: TaskType = None,
    max_pages: Annotated[int | None, typer.Option(min=1, help="页数上限 / Page limit.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="深度上限 / Depth limit.")] = None,
    title: Title = None,
    params: Params = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """采集一个网站，显示进度，Ctrl+C 取消 / Crawl a site and show it live; Ctrl+C cancels.

    例 / e.g.: mediacrawer crawl https://docs.example.org/ --max-pages 50 -p obey_robots=false
    """
    fixed = {name: value for name, value in (("max_pages", max_pages), ("max_depth", depth)) if value is not None}
    _make(platform, task_type, params, fixed=fixed, target=target, title=title, server=server, as_json=as_json)


def generate(
    prompt: Annotated[str, typer.Argument(help="描述 / What to make.")],
    *,
    provider: Annotated[str, typer.Option(help="提供方 / Provider: storyboard, cogvideox.")] = "storyboard",
    task_type: TaskType = None,
    title: Title = None,
    params: Params = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """生成视频，显示进度，Ctrl+C 取消 / Generate a clip and show it live; Ctrl+C cancels.

    例 / e.g.: mediacrawer generate "营地的一天" -p size=640x360
    """
    _make(provider, task_type, params, prompt=prompt, title=title, server=server, as_json=as_json)


def _make(
    platform: str,
    task_type: str | None,
    params: list[str] | None,
    *,
    fixed: Mapping[str, Any] | None = None,
    target: str | None = None,
    prompt: str | None = None,
    title: str | None,
    server: str | None,
    as_json: bool,
) -> None:
    from backend.cli.running import Wish, make_and_run  # noqa: PLC0415 - it brings the client

    wish = Wish(platform, task_type, params or (), fixed or {}, url=target, prompt=prompt, title=title)
    make_and_run(wish, server=server, as_json=as_json)
