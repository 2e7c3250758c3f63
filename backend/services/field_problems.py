"""From pydantic's errors to the refused fields of api.md: a dotted path, a stable code, a sentence in two languages.

A model's own validator may raise `PydanticCustomError("PRIVATE_ADDRESS", message, {"zh": ..., "en": ...})`: a type in
capitals is the code as it stands.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from backend.domain.errors import FieldProblem
from backend.domain.text import Text

MAX_PROBLEMS = 50
_MAX_KEY_CHARS = 80
_NEAR = 0.75


def problems_of(error: ValidationError, *, prefix: str = "", known_names: Iterable[str] = ()) -> list[FieldProblem]:
    """Return the refused fields, at most 50; paths begin with `prefix` (such as "params").

    `known_names` are what an unknown name is compared with, to name the nearest.
    """
    names = tuple(known_names)
    details = error.errors(include_url=False, include_input=False)
    return [_problem(one, prefix, names) for one in details[:MAX_PROBLEMS]]


def unknown_name(path: str, name: str, known_names: Iterable[str]) -> FieldProblem:
    """Return the problem of a name nobody knows, with the nearest one that exists."""
    near = difflib.get_close_matches(name[:_MAX_KEY_CHARS], list(known_names), n=1, cutoff=_NEAR)
    if near:
        text = Text(f"没有这个字段，是否想写 {near[0]}？", f"No such field; did you mean {near[0]}?")
    else:
        text = Text("没有这个字段", "No such field")
    return FieldProblem(path, "UNKNOWN_FIELD", text)


def _problem(one: ErrorDetails, prefix: str, names: tuple[str, ...]) -> FieldProblem:
    path = ".".join(part for part in (prefix, *(_part(step) for step in one["loc"])) if part)
    if one["type"] == "extra_forbidden":
        return unknown_name(path, str(one["loc"][-1]), names)
    code = _CODES.get(one["type"], one["type"] if one["type"].isupper() else "INVALID")
    return FieldProblem(path, code, _text(one, code))


def _part(step: int | str) -> str:
    # A key comes from outside: an endless one, or one that UTF-8 cannot hold, must not come back in the answer.
    return str(step)[:_MAX_KEY_CHARS].encode("utf-8", "replace").decode()


def _text(one: ErrorDetails, code: str) -> Text:
    ctx: Mapping[str, Any] = one.get("ctx") or {}
    if "zh" in ctx and "en" in ctx:
        return Text(str(ctx["zh"]), str(ctx["en"]))
    said = one["msg"].removeprefix("Value error, ")
    make = _TEXTS.get(one["type"]) or _TEXTS.get(code)
    return make(ctx) if make else Text(said, said)


def _limit(ctx: Mapping[str, Any], *names: str) -> str:
    return str(next((ctx[name] for name in names if name in ctx), ""))


_CODES: Mapping[str, str] = {
    "missing": "REQUIRED",
    "string_too_long": "TOO_LONG",
    "string_too_short": "TOO_SHORT",
    "too_long": "TOO_MANY",
    "too_short": "TOO_FEW",
    "greater_than": "TOO_SMALL",
    "greater_than_equal": "TOO_SMALL",
    "less_than": "TOO_LARGE",
    "less_than_equal": "TOO_LARGE",
    "finite_number": "NOT_A_NUMBER",
    "enum": "NOT_ALLOWED",
    "literal_error": "NOT_ALLOWED",
    "none_required": "NOT_ALLOWED",
    "string_pattern_mismatch": "BAD_FORMAT",
    "datetime_parsing": "BAD_FORMAT",
    "datetime_from_date_parsing": "BAD_FORMAT",
    "timezone_aware": "BAD_FORMAT",
    "url_parsing": "BAD_URL",
    "url_syntax_violation": "BAD_URL",
    "url_too_long": "TOO_LONG",
    "url_scheme": "SCHEME_REFUSED",
    **{
        kind: "WRONG_TYPE"
        for kind in (
            *("string_type", "int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"),
            *("bool_type", "bool_parsing", "dict_type", "mapping_type", "list_type", "tuple_type", "set_type"),
            *("model_type", "model_attributes_type", "dataclass_type", "datetime_type", "url_type", "bytes_type"),
        )
    },
    "int_parsing_size": "TOO_LARGE",
    "string_unicode": "BAD_TEXT",
}

_TEXTS: Mapping[str, Callable[[Mapping[str, Any]], Text]] = {
    "missing": lambda _: Text("必填", "Required"),
    "WRONG_TYPE": lambda _: Text("类型不对", "Wrong type"),
    "string_too_long": lambda ctx: Text(
        f"最多 {_limit(ctx, 'max_length')} 个字符", f"At most {_limit(ctx, 'max_length')} characters"
    ),
    "string_too_short": lambda ctx: Text(
        f"至少 {_limit(ctx, 'min_length')} 个字符", f"At least {_limit(ctx, 'min_length')} characters"
    ),
    "too_long": lambda ctx: Text(
        f"最多 {_limit(ctx, 'max_length')} 项", f"At most {_limit(ctx, 'max_length')} entries"
    ),
    "too_short": lambda ctx: Text(
        f"至少 {_limit(ctx, 'min_length')} 项", f"At least {_limit(ctx, 'min_length')} entries"
    ),
    "greater_than": lambda ctx: Text(f"必须大于 {_limit(ctx, 'gt')}", f"Must be above {_limit(ctx, 'gt')}"),
    "greater_than_equal": lambda ctx: Text(f"不能小于 {_limit(ctx, 'ge')}", f"Must be at least {_limit(ctx, 'ge')}"),
    "less_than": lambda ctx: Text(f"必须小于 {_limit(ctx, 'lt')}", f"Must be below {_limit(ctx, 'lt')}"),
    "less_than_equal": lambda ctx: Text(f"不能大于 {_limit(ctx, 'le')}", f"Must be at most {_limit(ctx, 'le')}"),
    "int_parsing_size": lambda _: Text("数字过大", "The number is too large"),
    "finite_number": lambda _: Text("必须是有限的数", "Must be a finite number"),
    "NOT_ALLOWED": lambda ctx: Text(f"只能是 {_limit(ctx, 'expected')}", f"Must be one of {_limit(ctx, 'expected')}"),
    "BAD_FORMAT": lambda _: Text("格式不对", "Wrong format"),
    "BAD_TEXT": lambda _: Text("不是有效的 Unicode 文本", "Not valid Unicode text"),
    "BAD_URL": lambda _: Text("不是有效的网址", "Not a valid URL"),
    "SCHEME_REFUSED": lambda _: Text("不允许的网址协议", "This URL scheme is not allowed"),
}
