"""Video by Zhipu BigModel: the CogVideoX models, and the Vidu models on the same API.

Source: https://docs.bigmodel.cn (video generation, asynchronous result) and zai-sdk 0.2.3, checked 2026-11-21. There
is no cancel, no list and no webhook: a job that was taken goes on, and may be billed, whatever we do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from backend.core.http import origin_of
from backend.core.vendor_settings import read_vendor_settings
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, Example, PlatformInfo, PlatformType
from backend.domain.task import Task, TaskKind
from backend.domain.text import Text
from backend.generate.poller import RemoteGeneration, abandon_remote
from backend.generate.provider import GenerateTools
from backend.generate.remote import RemoteTraits
from backend.generate.zhipu import ZhipuAccount, ZhipuClient, ZhipuJobs

PREFIX = "COGVIDEOX_"
TITLE = Text("智谱 CogVideoX", "Zhipu CogVideoX")
_CAP_FACTOR = 3
_TITLE_CHARS = 40

Model = Literal[
    "cogvideox-flash",
    "cogvideox-2",
    "cogvideox-3",
    "viduq1-text",
    "viduq1-image",
    "viduq1-start-end",
    "vidu2-image",
    "vidu2-start-end",
    "vidu2-reference",
]


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one model takes. `images`: fewest and most pictures; `sizes` and `durations`: None allows any."""

    takes: frozenset[str]
    images: tuple[int, int]
    needs_prompt: bool = False
    sizes: frozenset[str] | None = None
    durations: frozenset[int] | None = None


_SHARED_SIZES = ("1024x1024", "1920x1080", "1080x1920", "2048x1080", "3840x2160")
_SECONDS = frozenset({5, 10})
_FLASH = frozenset({"duration", "with_audio"})
_COG = _FLASH | {"quality", "size", "fps"}
_VIDU = frozenset({"duration", "size", "movement_amplitude"})
_FRAMES = _Rules(_VIDU, images=(2, 2))
_FRAMES_2 = _Rules(_VIDU | {"with_audio"}, images=(2, 2))
_RULES: Mapping[str, _Rules] = {
    # A reseller says that flash and 2 ignore `duration`; the vendor's own table lists it.
    "cogvideox-flash": _Rules(_FLASH, images=(0, 1), durations=_SECONDS),
    "cogvideox-2": _Rules(
        _COG, (0, 1), sizes=frozenset({"720x480", "1280x960", "960x1280", *_SHARED_SIZES}), durations=_SECONDS
    ),
    "cogvideox-3": _Rules(_COG, (0, 2), sizes=frozenset({"1280x720", "720x1280", *_SHARED_SIZES}), durations=_SECONDS),
    "viduq1-text": _Rules(_VIDU | {"style", "aspect_ratio"}, images=(0, 0), needs_prompt=True),
    "viduq1-image": _Rules(_VIDU, images=(1, 1)),
    "viduq1-start-end": _FRAMES,
    "vidu2-image": _Rules(_VIDU | {"with_audio"}, images=(1, 1)),
    "vidu2-start-end": _FRAMES_2,
    # "Several": the documentation names no number; the API refuses what is too much, and bills nothing for it.
    "vidu2-reference": _Rules(_VIDU | {"with_audio", "aspect_ratio"}, images=(1, 7)),
}
_OPTIONAL = ("quality", "size", "fps", "duration", "with_audio", "style", "aspect_ratio", "movement_amplitude")
_BASE64_IMAGE = re.compile(r"(data:image/(png|jpe?g);base64,)?[A-Za-z0-9+/\s]{64,}={0,2}\s*")
_WEB_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


def _as_list(value: object) -> object:
    if isinstance(value, str):
        return [value] if value.strip() else None
    return value or None


def _picture(value: str) -> str:
    if not (_WEB_URL.fullmatch(value) or _BASE64_IMAGE.fullmatch(value)):
        raise PydanticCustomError("image", "a picture's http(s) URL, or a PNG or JPEG in Base64")
    return value


def _named(zh: str, en: str, *, is_advanced: bool = False, **hints: Any) -> dict[str, Any]:
    ui = hints | ({"group": "高级"} if is_advanced else {})
    return {"x-i18n": {"zh": zh, "en": en}} | ({"x-ui": ui} if ui else {})


class VideoParams(BaseModel):
    """Parameters of `video`. Values the model does not take are dropped, and named by `ignored`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: Model = Field("cogvideox-flash", json_schema_extra=_named("模型", "Model"))
    prompt: str | None = Field(
        None, max_length=512, validate_default=True, json_schema_extra=_named("提示词", "Prompt", widget="textarea")
    )
    quality: Literal["speed", "quality"] | None = Field(
        None, json_schema_extra=_named("质量", "Quality", is_advanced=True)
    )
    image_url: Annotated[list[Annotated[str, AfterValidator(_picture)]] | None, BeforeValidator(_as_list)] = Field(
        None, max_length=7, validate_default=True, json_schema_extra=_named("图片（首帧、尾帧）", "Pictures")
    )
    size: str | None = Field(
        None, pattern=r"^\d{3,4}x\d{3,4}$", json_schema_extra=_named("尺寸", "Size", is_advanced=True)
    )
    fps: Literal[30, 60] | None = Field(None, json_schema_extra=_named("帧率", "Frames per second", is_advanced=True))
    duration: int | None = Field(
        None, ge=1, le=60, json_schema_extra=_named("时长（秒）", "Duration (s)", is_advanced=True)
    )
    with_audio: bool | None = Field(None, json_schema_extra=_named("生成音效", "With sound", is_advanced=True))
    watermark_enabled: bool | None = Field(None, json_schema_extra=_named("水印", "Watermark", is_advanced=True))
    style: Literal["general", "anime"] | None = Field(None, json_schema_extra=_named("风格", "Style", is_advanced=True))
    aspect_ratio: Literal["16:9", "9:16", "1:1"] | None = Field(
        None, json_schema_extra=_named("宽高比", "Aspect ratio", is_advanced=True)
    )
    movement_amplitude: Literal["auto", "small", "medium", "large"] | None = Field(
        None, json_schema_extra=_named("运动幅度", "Movement", is_advanced=True)
    )
    user_id: str | None = Field(
        None, min_length=6, max_length=128, json_schema_extra=_named("终端用户", "End user", is_advanced=True)
    )

    @field_validator("prompt")
    @classmethod
    def _check_prompt(cls, value: str | None, info: ValidationInfo) -> str | None:
        value = value.strip() or None if value else None
        rules = _RULES.get(info.data.get("model", ""))
        if rules and rules.needs_prompt and value is None:
            raise PydanticCustomError("missing", "this model needs a prompt")
        return value

    @field_validator("image_url")
    @classmethod
    def _check_pictures(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        rules = _RULES.get(info.data.get("model", ""))
        if rules is None or "prompt" not in info.data:
            return value
        count, (least, most) = len(value or ()), rules.images
        if not least <= count <= most:
            allowed = str(least) if least == most else f"{least} to {most}"
            raise PydanticCustomError("image_count", "this model takes {allowed} pictures", {"allowed": allowed})
        if not count and info.data["prompt"] is None:
            raise PydanticCustomError("missing", "give a prompt, or a picture, or both")
        if count > 1 and "quality" in rules.takes and info.data.get("quality") == "quality":
            raise PydanticCustomError("image_count", "first and last frame need quality=speed")
        return value

    @field_validator("size", "duration")
    @classmethod
    def _check_choice(cls, value: str | int | None, info: ValidationInfo) -> str | int | None:
        rules = _RULES.get(info.data.get("model", ""))
        if rules is None or value is None or info.field_name not in rules.takes:
            return value
        allowed = rules.sizes if info.field_name == "size" else rules.durations
        if allowed is not None and value not in allowed:
            choices = ", ".join(map(str, sorted(allowed)))
            raise PydanticCustomError("enum", "this model takes {choices}", {"choices": choices})
        return value

    def ignored(self) -> tuple[str, ...]:
        """Return the names that were given and that this model does not take."""
        takes = _RULES[self.model].takes
        return tuple(name for name in _OPTIONAL if getattr(self, name) is not None and name not in takes)

    def request(self) -> dict[str, Any]:
        """Return the body of the submit: what was given and is taken; one picture as a string, several as a list."""
        body = self.model_dump(exclude_none=True, exclude=set(self.ignored()))
        if self.image_url is not None and len(self.image_url) == 1:
            body["image_url"] = self.image_url[0]
        return body


class CogVideoXSettings(BaseModel):
    """COGVIDEOX_API_KEY, COGVIDEOX_BASE_URL, COGVIDEOX_POLL_INTERVAL_S (seconds, at least 0.05), COGVIDEOX_MAX_RUNNING.

    The vendor limits how many jobs of an account run at once, by model and tier (over it: error 1302): the last one
    keeps to that, over all servers together. Unset, only its answers tell.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    api_key: SecretStr | None = None
    base_url: str = Field("https://open.bigmodel.cn/api/paas/v4", pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")
    poll_interval_s: float = Field(5.0, ge=0.05, le=3_600)
    max_running: int | None = Field(None, ge=1, le=10_000)

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        # It must travel in a header as it is.
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise PydanticCustomError("key", "holds a character that cannot be sent in a header")
        return value


class CogVideoX:
    """The provider `cogvideox`."""

    def __init__(self, settings: CogVideoXSettings) -> None:
        self._key = settings.api_key
        self._base_url = settings.base_url.rstrip("/")
        self._traits = RemoteTraits(
            title=TITLE.zh,
            poll_s=settings.poll_interval_s,
            poll_cap_s=settings.poll_interval_s * _CAP_FACTOR,
            refuses_duplicates=True,
        )
        self.info = PlatformInfo(
            id="cogvideox",
            kind=TaskKind.GENERATE,
            title=TITLE,
            icon="video",
            default_type="video",
            types=(PlatformType("video", Text("视频", "Video"), VideoParams, examples=_EXAMPLES),),
            capabilities=("text_to_video", "image_to_video", "first_last_frame"),
            max_running=settings.max_running,
            needs_auth=True,
            secret_names=(f"{PREFIX}API_KEY",),
            trusted_origins=(self._base_url,),
        )

    def availability(self) -> Availability:
        """Whether there is a key; nothing is asked of the vendor."""
        if self._key is not None:
            return Availability(available=True)
        return Availability(
            available=False,
            reason="NO_KEY",
            message=Text("未设置智谱 API Key", "There is no key for Zhipu's API"),
            advice=Text(
                f"在 .env 中设置 {PREFIX}API_KEY 后重启服务（在 open.bigmodel.cn 获取）",
                f"Set {PREFIX}API_KEY in .env and restart the server (keys come from open.bigmodel.cn)",
            ),
        )

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the beginning of the prompt; the vendor's name when there are pictures only."""
        return str(params.get("prompt") or TITLE.zh)[:_TITLE_CHARS]

    def begin(self, context: TaskContext, tools: GenerateTools) -> Execution:
        """Return the execution of one attempt."""
        return RemoteGeneration(
            context,
            tools,
            api=self._jobs(tools),
            traits=self._traits,
            request=VideoParams.model_validate(dict(context.task.params)).request(),
            own_origin=origin_of(self._base_url),
        )

    async def abandon(self, task: Task, context: TaskContext, tools: GenerateTools) -> None:
        """Record that the open job of a task nobody runs cannot be cancelled."""
        await abandon_remote(task, context, tools, api=self._jobs(tools), traits=self._traits)

    def _jobs(self, tools: GenerateTools) -> ZhipuJobs:
        key = self._key.get_secret_value() if self._key else ""
        return ZhipuJobs(ZhipuClient(tools.gate, ZhipuAccount(self._base_url, key)), "/videos/generations")


_EXAMPLES = (
    Example(
        Text("文生视频（免费模型）", "Text to video (free model)"),
        {"model": "cogvideox-flash", "prompt": "清晨的海边，一只小狗沿着沙滩奔跑，电影质感"},
    ),
    Example(
        Text("高质量 5 秒", "High quality, 5 s"),
        {
            "model": "cogvideox-3",
            "prompt": "雪山下的湖面，延时摄影",
            "quality": "quality",
            "size": "1920x1080",
            "fps": 30,
        },
    ),
)


def create(environ: Mapping[str, str]) -> CogVideoX:
    """Make the provider from its variables. Raises SettingsError."""
    return CogVideoX(read_vendor_settings(CogVideoXSettings, PREFIX, environ))
