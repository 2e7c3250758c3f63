"""Storyboards: scenes filmed by ffmpeg on this machine. Text cards or pictures, slow moves, cross-fades; no model.

Needs no key and no network (but for pictures by URL). ffmpeg is the system's or imageio-ffmpeg's; the font is the
system's or pylopdf-fonts-zh-cn's; Pillow draws the words.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, Example, PlatformInfo, PlatformType
from backend.domain.task import Task, TaskKind
from backend.domain.text import Text
from backend.generate.fonts import FontFile, find_cjk_font
from backend.generate.media import find_ffmpeg
from backend.generate.provider import GenerateTools
from backend.generate.providers.storyboard.params import StoryboardParams

_TITLE_CHARS = 40
_EXTRA = "pip install 'mediacrawer-pro[media]'"


class Storyboard:
    """The provider `storyboard`."""

    info = PlatformInfo(
        id="storyboard",
        kind=TaskKind.GENERATE,
        title=Text("分镜视频", "Storyboard"),
        icon="film",
        default_type="video",
        types=(
            PlatformType(
                "video",
                Text("分镜视频（本机渲染，不是 AI 模型）", "Storyboard video (rendered here, not by an AI model)"),
                StoryboardParams,
                examples=(
                    Example(
                        Text("三个文字分镜", "Three text scenes"),
                        {
                            "script": "清晨的海边，浪花轻轻拍着沙滩\n城市的夜，霓虹灯下人来人往\n下一站，山里",
                            "title": "周末去哪儿",
                        },
                    ),
                    Example(
                        Text("竖屏短片", "Portrait clip"),
                        {
                            "scenes": [{"text": "露营必带的三样东西"}, {"text": "一盏灯"}, {"text": "一顶好帐篷"}],
                            "size": "720x1280",
                            "seconds_per_scene": 2,
                        },
                    ),
                ),
            ),
        ),
        capabilities=("text_to_video", "image_to_video", "offline", "from_task"),
        # Each film keeps a core busy.
        max_running=2,
        is_cap_per_server=True,
    )

    def __init__(self, font: FontFile | None) -> None:
        self._font = font

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the film's own title, or the beginning of its first card."""
        scenes = params.get("scenes") or [{}]
        first = params.get("script") or scenes[0].get("text") or "分镜视频"
        return str(params.get("title") or first).strip().partition("\n")[0][:_TITLE_CHARS]

    def availability(self) -> Availability:
        """Whether ffmpeg, Pillow and a Chinese font are on this machine."""
        if find_ffmpeg() is None:
            return _missing(
                "NO_FFMPEG", Text("找不到 ffmpeg", "There is no ffmpeg"), Text("安装 ffmpeg", "Install ffmpeg")
            )
        if find_spec("PIL") is None:
            return _missing(
                "NOT_BUILT", Text("缺少 Pillow", "Pillow is missing"), Text("安装 Pillow", "Install Pillow")
            )
        if self._font is None:
            return _missing(
                "NO_FONT",
                Text("找不到中文字体", "There is no font with Chinese characters"),
                Text("安装 Noto Sans CJK 字体", "Install the Noto Sans CJK fonts"),
            )
        return Availability(available=True)

    def begin(self, context: TaskContext, tools: GenerateTools) -> Execution:
        """Return the execution of one attempt. Called only while it is available."""
        from backend.generate.providers.storyboard.execution import StoryboardExecution  # noqa: PLC0415 - see create()

        if self._font is None:
            raise LookupError("no font: availability() was not asked")
        return StoryboardExecution(context, tools, font=self._font)

    async def abandon(self, task: Task, context: TaskContext, tools: GenerateTools) -> None:
        """Do nothing: there is no job anywhere else."""


def create(environ: Mapping[str, str]) -> Storyboard:
    """Make the provider; it has no settings. What is slow (Pillow, looking for fonts) is done here, at the start."""
    if find_spec("PIL") is not None:
        # Pillow is an extra: without it the provider is listed, and says what is missing.
        import_module(f"{__name__}.execution")
    return Storyboard(find_cjk_font())


def _missing(reason: str, message: Text, first: Text) -> Availability:
    advice = Text(f"{first.zh}，或运行 {_EXTRA}，然后重启服务", f"{first.en}, or run {_EXTRA}; then restart the server")
    return Availability(available=False, reason=reason, message=message, advice=advice)
