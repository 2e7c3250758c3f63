"""The parameters of a storyboard."""

import re
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

MAX_SCENES = 100
MAX_TEXT_CHARS = 500
MAX_URL_CHARS = 2_048
MIN_SIDE, MAX_SIDE = 90, 1920
# Drawn as choices; any other even size is taken too.
COMMON_SIZES: dict[str, JsonValue] = {
    "1280x720": {"zh": "横屏 720p (1280×720)", "en": "Landscape 720p (1280×720)"},
    "1920x1080": {"zh": "横屏 1080p (1920×1080)", "en": "Landscape 1080p (1920×1080)"},
    "720x1280": {"zh": "竖屏 720p (720×1280)", "en": "Portrait 720p (720×1280)"},
    "1080x1920": {"zh": "竖屏 1080p (1080×1920)", "en": "Portrait 1080p (1080×1920)"},
    "1080x1080": {"zh": "方形 (1080×1080)", "en": "Square (1080×1080)"},
    "640x360": {"zh": "小尺寸 (640×360)", "en": "Small (640×360)"},
}
_PICTURE_AT_THE_END = re.compile(r"\bhttps?://\S+$", re.IGNORECASE)


def _web_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise _refused("SCHEME_REFUSED", "只能是 http 或 https 网址", "Only an http or https URL")
    return url


Stripped = StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT_CHARS)
WebUrl = Annotated[str, StringConstraints(max_length=MAX_URL_CHARS), AfterValidator(_web_url)]


def _ui(zh: str, en: str, **hints: Any) -> dict[str, Any]:
    return {"x-i18n": {"zh": zh, "en": en}, "x-ui": hints}


class SceneParams(BaseModel):
    """One card: its text, and a picture to draw it on."""

    URL_FIELDS: ClassVar = ("image",)

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Stripped] = Field(
        json_schema_extra=_ui("文字", "Text", order=1), examples=["清晨的海边，一只猫在散步"]
    )
    image: WebUrl | None = Field(default=None, json_schema_extra=_ui("图片网址", "Picture URL", order=2))


class StoryboardParams(BaseModel):
    """Cards to film: exactly one of `script`, `scenes` and `from_task` says which."""

    URL_FIELDS: ClassVar = ("scenes",)

    model_config = ConfigDict(extra="forbid")

    script: Annotated[str, StringConstraints(max_length=60_000)] | None = Field(
        default=None,
        description="One scene a line, at most 100; a line may end with the URL of a picture.",
        json_schema_extra=_ui(
            "分镜脚本",
            "Script",
            order=1,
            widget="textarea",
            help={
                "zh": "一行一个分镜，最多 100 行；行末可以加图片网址。与“来源任务”二选一",
                "en": "One scene a line, at most 100, a picture's URL at its end if you like. This or a source task",
            },
            placeholder={"zh": "清晨的海边\n城市夜景 https://…/night.jpg", "en": "The sea at dawn\nThe city at night"},
        ),
    )
    from_task: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = Field(
        default=None,
        description="The id of a crawl task: its items' titles, summaries and pictures become the scenes.",
        json_schema_extra=_ui(
            "来源任务",
            "Source task",
            order=2,
            help={
                "zh": "采集任务的编号：用它的标题、摘要和图片生成分镜",
                "en": "The id of a crawl task: scenes from its titles, summaries and pictures",
            },
        ),
    )
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = Field(
        default="", description="Shown on every card.", json_schema_extra=_ui("片名", "Title", order=3)
    )
    size: str = Field(
        default="1280x720",
        description=f"WIDTHxHEIGHT: even numbers from {MIN_SIDE} to {MAX_SIDE}. The enum lists common ones only.",
        json_schema_extra={
            **_ui("画面尺寸", "Size", order=4),
            "enum": list(COMMON_SIZES),
            "x-enum-titles": COMMON_SIZES,
        },
    )
    seconds_per_scene: float = Field(
        default=3,
        ge=1,
        le=30,
        allow_inf_nan=False,
        json_schema_extra=_ui("每个分镜的秒数", "Seconds per scene", order=5, unit="s"),
    )
    fps: int = Field(
        default=30, ge=1, le=60, json_schema_extra=_ui("帧率", "Frame rate", order=6, unit="fps", group="高级")
    )
    scenes: list[SceneParams] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_SCENES,
        validate_default=True,
        description="The scenes as a list of {text, image?}: the same as a script, for programs.",
        json_schema_extra=_ui("分镜列表 (JSON)", "Scenes (JSON)", order=7, group="高级"),
    )

    @field_validator("script")
    @classmethod
    def _script_has_scenes(cls, script: str | None) -> str | None:
        if script is None or not script.strip():
            # An emptied text box of the form says "no script".
            return None
        lines = _lines_of(script)
        if len(lines) > MAX_SCENES:
            raise _refused("TOO_MANY", f"最多 {MAX_SCENES} 行", f"At most {MAX_SCENES} lines")
        for number, line in enumerate(lines, start=1):
            _check_line(number, line)
        return script

    @field_validator("from_task", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("size")
    @classmethod
    def _size_is_even(cls, size: str) -> str:
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size, re.ASCII)
        sides = [int(side) for side in found.groups()] if found else []
        if not sides or any(side % 2 or not MIN_SIDE <= side <= MAX_SIDE for side in sides):
            limits = f"{MIN_SIDE}–{MAX_SIDE}"
            raise _refused(
                "BAD_FORMAT",
                f"尺寸写作 宽x高，两边都是 {limits} 的偶数，如 1280x720",
                f"Write WIDTHxHEIGHT, both even and {limits}, such as 1280x720",
            )
        return size

    @field_validator("scenes")
    @classmethod
    def _exactly_one_source(cls, scenes: list[SceneParams] | None, info: ValidationInfo) -> list[SceneParams] | None:
        if "script" not in info.data or "from_task" not in info.data:
            # Refused already, by its own field.
            return scenes
        given = [name for name in ("script", "from_task") if info.data[name] is not None]
        given += ["scenes"] if scenes is not None else []
        if not given:
            raise _refused(
                "REQUIRED", "填写 scenes、script、from_task 之一", "Give one of scenes, script and from_task"
            )
        if len(given) > 1:
            names = ", ".join(given)
            raise _refused("EXACTLY_ONE", f"只能填写其中一个: {names}", f"Give only one of: {names}")
        return scenes

    def written_scenes(self) -> list[SceneParams]:
        """Return the scenes that the parameters themselves hold; none when they come from a task."""
        if self.scenes is not None:
            return self.scenes
        return [_scene_of(line) for line in _lines_of(self.script or "")]

    @property
    def width_height(self) -> tuple[int, int]:
        """The two sides of `size`, pixels."""
        width, _, height = self.size.partition("x")
        return int(width), int(height)


def _lines_of(script: str) -> list[str]:
    return [line.strip() for line in script.splitlines() if line.strip()]


def _scene_of(line: str) -> SceneParams:
    found = _PICTURE_AT_THE_END.search(line)
    text = line[: found.start()].strip() if found else line
    # A line that is only a URL is shown as text: a scene without words is no scene.
    return SceneParams(text=text, image=found[0].strip()) if found and text else SceneParams(text=line)


def _check_line(number: int, line: str) -> None:
    if len(line) > MAX_TEXT_CHARS + MAX_URL_CHARS:
        too_long = True
    else:
        found = _PICTURE_AT_THE_END.search(line)
        words = line[: found.start()].strip() if found else line
        too_long = len(words or line) > MAX_TEXT_CHARS
    if too_long:
        raise _refused(
            "TOO_LONG",
            f"第 {number} 行最多 {MAX_TEXT_CHARS} 个字符",
            f"Line {number}: at most {MAX_TEXT_CHARS} characters",
        )


def _refused(code: str, zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError(code, "{en}", {"zh": zh, "en": en})
