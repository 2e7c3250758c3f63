"""A vendor's own settings: a pydantic model in its file, filled from the variables with its prefix."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from backend.core.settings import SettingsError

M = TypeVar("M", bound=BaseModel)


def read_vendor_settings(model: type[M], prefix: str, environ: Mapping[str, str]) -> M:
    """Return the model filled from PREFIX + FIELD in upper case; an empty variable counts as not set.

    Raises SettingsError, which names every variable that cannot be used and never shows a value.
    """
    names = {field: f"{prefix}{field.upper()}" for field in model.model_fields}
    values = {field: value for field, name in names.items() if (value := environ.get(name, "").strip())}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [f"{names.get(str(one['loc'][0]), prefix)}: {one['msg']}" for one in error.errors() if one["loc"]]
        raise SettingsError("; ".join(problems) or f"{prefix}*: cannot be used") from None
