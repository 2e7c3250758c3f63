"""From the bytes of a request to a JSON object: every bound on what comes from outside, each with its named error.

orjson refuses NaN, Infinity, lone surrogates and broken UTF-8, but keeps the last of two equal keys in silence, and
BSON cannot hold an integer above 64 bits signed: both are looked for here.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import orjson
from tornado.httputil import HTTPHeaders

from backend.api.errors import ApiError
from backend.domain.errors import FieldProblem, ValidationFailedError
from backend.domain.text import Text

MAX_BODY_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 50_000
_INT_LIMIT = 2**63
_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]{1,64}\+)?json", re.IGNORECASE)


def read_object(body: bytes, headers: HTTPHeaders) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises ApiError CONTENT_TYPE, NOT_UTF8 or BAD_JSON, and ValidationFailedError when it is JSON but no object.
    """
    _check_type(headers)
    value = _parse(body)
    _check_values(value, body)
    if not isinstance(value, dict):
        text = Text("请求体必须是一个 JSON 对象", "The body must be a JSON object")
        raise ValidationFailedError([FieldProblem("", "WRONG_TYPE", text)])
    return value


def _check_type(headers: HTTPHeaders) -> None:
    media_type, _, parameters = headers.get("Content-Type", "").partition(";")
    charset = parameters.lower().partition("charset=")[2].strip(' "')
    if not _JSON_TYPE.fullmatch(media_type.strip()) or charset not in {"", "utf-8", "utf8"}:
        advice = Text("加上请求头 Content-Type: application/json", "Send the header Content-Type: application/json")
        message = Text("请求体必须是 UTF-8 的 application/json", "The body must be application/json in UTF-8")
        raise ApiError("CONTENT_TYPE", message, advice=advice)
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ApiError("CONTENT_TYPE", Text("不接受压缩的请求体", "A compressed body is not accepted"))


def _parse(body: bytes) -> Any:
    if body.startswith(_BOM):
        _refuse(Text("请求体以 BOM 开头，请去掉", "The body begins with a byte order mark; remove it"))
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _check_utf8(body)
        where = f"{error.lineno}:{error.colno}"
        _refuse(Text(f"JSON 无法解析 ({where})", f"The JSON cannot be read ({where}): {error.msg[:200]}"))


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        message = Text(f"请求体不是 UTF-8 (第 {error.start} 字节)", f"The body is not UTF-8 (byte {error.start})")
        advice = Text("用 UTF-8 编码发送请求体", "Send the body in UTF-8")
        raise ApiError("NOT_UTF8", message, advice=advice) from None


def _check_values(value: Any, body: bytes) -> None:
    keys = values = 0
    for level in _levels(value):
        values += len(level)
        if values > MAX_VALUES:
            _refuse(Text(f"JSON 的值超过 {MAX_VALUES} 个", f"The JSON has more than {MAX_VALUES} values"))
        for one in level:
            if type(one) is dict:
                keys += len(one)
            elif type(one) is int and not -_INT_LIMIT <= one < _INT_LIMIT:
                _refuse(Text("整数超出 64 位", "An integer does not fit into 64 bits"))
    # Outside of strings a colon stands after each key: fewer keys than colons means that one came twice.
    if keys != _STRING.sub(b"", body).count(b":"):
        _refuse(Text("JSON 里有重复的键", "The JSON has a key twice in one object"))


def _levels(value: Any) -> Iterator[list[Any]]:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        yield level
        level = [below for one in level for below in _below(one)]
        if not level:
            return
    _refuse(Text(f"JSON 嵌套超过 {MAX_DEPTH} 层", f"The JSON is nested more than {MAX_DEPTH} levels deep"))


def _below(value: Any) -> Iterable[Any]:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()


def _refuse(message: Text) -> NoReturn:
    raise ApiError("BAD_JSON", message)
