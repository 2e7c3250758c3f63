"""The shapes of tokens. A token itself goes out once, when it is made."""

from typing_extensions import TypedDict

from backend.api.secret_bodies import OwnLabel, SecretBody
from backend.api.wire import stamp
from backend.domain.user import ApiToken


class TokenCreate(SecretBody):
    """A new token, and what it is for."""

    label: OwnLabel


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
