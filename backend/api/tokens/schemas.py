"""The shapes of tokens. A token itself goes out once, when it is made."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from backend.api.users.schemas import UserBody
from backend.api.wire import stamp
from backend.domain.user import ApiToken


def _shown(value: str) -> str:
    if not value.strip() or not value.isprintable():
        words = {"zh": "不能为空或含有控制字符", "en": "Must not be blank or hold control characters"}
        raise PydanticCustomError("BAD_TEXT", "not printable", words)
    return value.strip()


class TokenCreate(UserBody):
    """A new token, and what it is for."""

    label: Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_shown)]


class TokenOut(TypedDict):
    """A token, as it is shown later."""

    token_id: str
    label: str
    last_four: str
    created_by: str
    created_at: str


class TokenMade(TokenOut):
    """A new token; `token` is shown this once."""

    token: str


class TokenList(TypedDict):
    """The caller's tokens, oldest first."""

    items: list[TokenOut]
    next_cursor: str | None


class TokenDeleted(TypedDict):
    """A token that is no more."""

    token_id: str
    deleted: bool


def token_out(token: ApiToken) -> TokenOut:
    """Return a token as it is shown."""
    return {
        "token_id": token.token_id,
        "label": token.label,
        "last_four": token.last_four,
        "created_by": token.created_by,
        "created_at": stamp(token.created_at),
    }
