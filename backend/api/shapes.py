"""Shapes that several parts of the API share."""

from typing import Annotated

from pydantic import Field

from backend.api.query import QueryModel
from backend.domain.text import Text

MAX_LIMIT = 200
MAX_CURSOR_CHARS = 512

Word = Annotated[str, Field(min_length=1, max_length=64)]
Cursor = Annotated[str, Field(max_length=MAX_CURSOR_CHARS, description="next_cursor of the page before")]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Entries of a page")]


class PageQuery(QueryModel):
    """A page of a list."""

    cursor: Cursor | None = None
    limit: Limit = 50


def both(text: Text) -> dict[str, str]:
    """Return a text as `{"zh", "en"}`, for readers who choose themselves."""
    return {"zh": text.zh, "en": text.en}
