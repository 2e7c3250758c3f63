"""What `mediacrawer config` shows of the settings; secrets are masked."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from backend.core.setting_types import under_root
from backend.core.settings import Settings, Source, extra_of, password_of

MASK = "****"
SHOWN_SECRET_CHARS = 4
MIN_PARTLY_SHOWN_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One line of `mediacrawer config`; secrets are masked."""

    name: str
    value: str
    default: str
    unit: str
    meaning: str
    source: Source


def describe(settings: Settings) -> list[SettingRow]:
    """Return one row for each setting, in the order of the model, secrets masked as `mask` does."""
    return [
        SettingRow(
            name=name.upper(),
            value=_shown(getattr(settings, name)),
            default=_shown(under_root(field.default) if isinstance(field.default, Path) else field.default),
            unit=extra_of(name, "unit"),
            meaning=field.description or "",
            source=_source_of(settings, name),
        )
        for name, field in Settings.model_fields.items()
    ]


def mask(secret: str) -> str:
    """Return stars and the last four characters; of a short secret stars alone, four would tell too much."""
    return MASK + (secret[-SHOWN_SECRET_CHARS:] if len(secret) >= MIN_PARTLY_SHOWN_CHARS else "")


def _source_of(settings: Settings, name: str) -> Source:
    if name in settings._sources:
        return settings._sources[name]
    return "argument" if name in settings.model_fields_set else "default"


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return mask(value.get_secret_value())
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(str(item) for item in value)
        case str() if "://" in value and (password := password_of(value)):
            return value.replace(f":{password}@", f":{mask(password)}@", 1)
        case _:
            return str(value)
