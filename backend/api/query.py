"""From a query string to a checked model: unknown and repeated names are refused, lists may be comma-separated."""

from functools import lru_cache
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.api.errors import ApiError
from backend.domain.errors import FieldProblem, ValidationFailedError
from backend.domain.text import Text
from backend.services.field_problems import problems_of

MAX_NAMES = 100
# Understood everywhere, by BaseHandler.write_json.
_EVERYWHERE = "pretty"

Query = TypeVar("Query", bound=BaseModel)


class QueryModel(BaseModel):
    """A query: every name is declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class NoQuery(QueryModel):
    """A call that takes no query."""


def read_query(query: str, model: type[Query]) -> Query:
    """Return the query as `model`. Raises ValidationFailedError, and ApiError NOT_UTF8."""
    if not query:
        return _validated(model, {})
    lists = _list_names(model)
    values: dict[str, Any] = {}
    for name, value in _pairs(query):
        if name == _EVERYWHERE:
            continue
        if name in lists:
            values.setdefault(name, []).extend(part.strip() for part in value.split(",") if part.strip())
        elif name in values:
            text = Text("参数重复", "This parameter came twice")
            raise ValidationFailedError([FieldProblem(name[:80], "REPEATED", text)])
        else:
            values[name] = value
    return _validated(model, values)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_NAMES)
    except UnicodeDecodeError:
        raise ApiError("NOT_UTF8", Text("查询参数不是 UTF-8", "The query is not UTF-8")) from None
    except ValueError:
        text = Text(f"查询参数超过 {MAX_NAMES} 个", f"More than {MAX_NAMES} query parameters")
        raise ValidationFailedError([FieldProblem("", "TOO_MANY", text)]) from None


def _validated(model: type[Query], values: dict[str, Any]) -> Query:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ValidationFailedError(problems_of(error, known_names=model.model_fields)) from None


@lru_cache(maxsize=64)
def _list_names(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if _is_list(field.annotation))


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(get_origin(one) is tuple for one in get_args(annotation))
