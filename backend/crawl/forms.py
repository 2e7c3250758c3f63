"""What a parameter model says to the form that is drawn from its JSON Schema: titles, order, groups, hints."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, WithJsonSchema

from backend.domain.text import Text

MAX_URL_CHARS = 2_048
MAX_URLS = 1_000
ADVANCED = "高级"

UrlText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL_CHARS),
    WithJsonSchema({"type": "string", "format": "uri", "minLength": 1, "maxLength": MAX_URL_CHARS}),
]


class Params(BaseModel):
    """Base of all parameter models: unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def ui(
    title: Text,
    *,
    order: int,
    placeholder: Text | None = None,
    help_text: Text | None = None,
    unit: str | None = None,
    is_advanced: bool = False,
    choices: Mapping[str, Text] | None = None,
) -> Callable[[dict[str, Any]], None]:
    """Return what adds the hints of one field to its JSON Schema; use it as `Field(json_schema_extra=...)`."""
    hints: dict[str, Any] = {"order": order}
    if placeholder is not None:
        hints["placeholder"] = _both(placeholder)
    if help_text is not None:
        hints["help"] = _both(help_text)
    if unit is not None:
        hints["unit"] = unit
    if is_advanced:
        hints["group"] = ADVANCED

    def add(schema: dict[str, Any]) -> None:
        schema["title"] = title.en
        schema["x-i18n"] = _both(title)
        schema["x-ui"] = hints
        if choices is not None:
            schema["x-enum-titles"] = {value: _both(text) for value, text in choices.items()}

    return add


def _both(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}
