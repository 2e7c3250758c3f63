"""Bodies that may hold a secret: strict, and never quoted in an error."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from backend.domain.errors import ValidationFailedError
from backend.services.field_problems import problems_of


class SecretBody(BaseModel):
    """What such bodies have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


Body = TypeVar("Body", bound=SecretBody)


def read_secret_body(model: type[Body], body: dict[str, Any]) -> Body:
    """Return the body as `model`. Raises ValidationFailedError, which quotes nothing of it."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ValidationFailedError(problems_of(error, known_names=model.model_fields)) from None


def _shown(value: str) -> str:
    if not value.strip() or not value.isprintable():
        words = {"zh": "不能为空或含有控制字符", "en": "Must not be blank or hold control characters"}
        raise PydanticCustomError("BAD_TEXT", "not printable", words)
    return value.strip()


# What a person calls an account or a token.
OwnLabel = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_shown)]
