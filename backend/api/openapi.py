"""Routes, and the OpenAPI 3.1 document made from them and from the schemas they name.

A `Route` says what a path takes and gives for each verb; nothing about the API is written a second time.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter
from tornado.routing import URLSpec
from tornado.web import RequestHandler
from typing_extensions import TypedDict

from backend.api.errors import CODES
from backend.api.query import NoQuery
from backend.api.sessions import SESSION_COOKIE, XSRF_COOKIE, XSRF_HEADER

JsonSchema = dict[str, Any]

_REF = "#/components/schemas/{model}"
_ALWAYS = ("HOST_REFUSED", "ORIGIN_REFUSED", "AUTH_REQUIRED", "RATE_LIMITED", "INTERNAL", "STORE_UNAVAILABLE")
_WITH_BODY = ("BAD_JSON", "NOT_UTF8", "CONTENT_TYPE", "BODY_TOO_LARGE")
_SESSION = (
    f"From the form at /login. A write needs the header {XSRF_HEADER} with the value of the cookie {XSRF_COOKIE}."
)
_READS = frozenset({"get", "head"})
_PARAMETER = re.compile(r"\{(\w+)\}")


class ErrorField(TypedDict):
    """One refused field: `path` is dotted, array indexes are numbers."""

    path: str
    code: str
    message: str


class ErrorDetail(TypedDict):
    """What went wrong, by a stable name."""

    name: str
    retryable: bool
    advice: str | None
    fields: list[ErrorField]
    request_id: str


class ErrorAnswer(TypedDict):
    """The envelope of an error; `code` is the HTTP status × 100 + n."""

    code: int
    message: str
    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class Operation:
    """What one verb of a path takes and gives.

    `answer` is the type of `data`, or with `is_bare` of the whole body; None is bytes of `media_type`.
    `headers` are request headers by name, `answer_headers` those of the answer, each with its meaning.
    """

    summary: str
    answer: Any
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    errors: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[int, str] = field(default_factory=lambda: {200: "OK"})
    is_bare: bool = False
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """A path such as `/api/v1/tasks/{task_id}`, its handler, and its operations by verb in lower case."""

    path: str
    handler: type[RequestHandler]
    operations: Mapping[str, Operation]

    def url_spec(self) -> URLSpec:
        """Return Tornado's form of the route; a parameter is anything without a slash."""
        return URLSpec(_PARAMETER.sub("([^/]+)", self.path.replace(".", r"\.")) + "$", self.handler)


def describe(routes: Iterable[Route], *, version: str) -> JsonSchema:
    """Return the OpenAPI 3.1 document of `routes`."""
    operations = {
        (route.path, verb): (route, operation) for route in routes for verb, operation in route.operations.items()
    }
    schemas = _Schemas([one for _, one in operations.values()])
    paths: dict[str, JsonSchema] = {}
    for (path, verb), (route, operation) in operations.items():
        paths.setdefault(path, {})[verb] = _operation(route, verb, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "MediaCrawer Pro", "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": _SESSION},
            },
        },
        # An empty requirement: either is asked for only where AUTH_TOKEN is set.
        "security": [{}, {"token": []}, {"session": []}],
    }


class _Schemas:
    """The JSON Schemas of all operations, with shared definitions."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        inputs: list[tuple[int, Any, TypeAdapter[Any]]] = [(id(ErrorAnswer), "serialization", TypeAdapter(ErrorAnswer))]
        for one in operations:
            if one.answer is not None:
                inputs.append((id(one.answer), "serialization", TypeAdapter(one.answer)))
            if one.body is not None:
                inputs.append((id(one.body), "validation", TypeAdapter(one.body)))
        unique = {(key, mode): (key, mode, adapter) for key, mode, adapter in inputs}
        found, rest = TypeAdapter.json_schemas(unique.values(), ref_template=_REF)
        self._by_key = found
        self.definitions: JsonSchema = rest.get("$defs", {})

    def answer(self, shape: Any) -> JsonSchema:
        return self._by_key[(id(shape), "serialization")]

    def body(self, model: type[BaseModel]) -> JsonSchema:
        return self._by_key[(id(model), "validation")]


def _operation(route: Route, verb: str, operation: Operation, schemas: _Schemas) -> JsonSchema:
    described: JsonSchema = {
        "summary": operation.summary,
        "operationId": _operation_id(route.path, verb),
        "tags": [_tag(route.path)],
        "parameters": [*_path_parameters(route.path), *_query_parameters(operation), *_header_parameters(operation)],
        "responses": {**_answers(operation, schemas), **_errors(verb, operation, schemas)},
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schemas.body(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _operation_id(path: str, verb: str) -> str:
    words = [part.strip("{}").replace(".", "_") for part in path.removeprefix("/api/v1").split("/") if part]
    return "_".join([verb, *words])


def _tag(path: str) -> str:
    return path.removeprefix("/api/v1").strip("/").split("/")[0].split(".")[0]


def _path_parameters(path: str) -> list[JsonSchema]:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in _PARAMETER.findall(path)]


def _query_parameters(operation: Operation) -> list[JsonSchema]:
    schema = operation.query.model_json_schema(ref_template=_REF)
    definitions, required = schema.get("$defs", {}), schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _inlined(one, definitions),
            **({"style": "form", "explode": False} if "array" in str(one) else {}),
        }
        for name, one in schema.get("properties", {}).items()
    ]


def _inlined(schema: Any, definitions: JsonSchema) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {name: _inlined(one, definitions) for name, one in schema.items()}
    return [_inlined(one, definitions) for one in schema] if isinstance(schema, list) else schema


def _header_parameters(operation: Operation) -> list[JsonSchema]:
    return [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": meaning}
        for name, meaning in operation.headers.items()
    ]


def _answers(operation: Operation, schemas: _Schemas) -> JsonSchema:
    headers = {"X-Request-Id": "The id of the request", **operation.answer_headers}
    answer = {
        "headers": {name: {"description": why, "schema": {"type": "string"}} for name, why in headers.items()},
        "content": {operation.media_type: {"schema": _answer_schema(operation, schemas)}},
    }
    return {str(status): {"description": why, **answer} for status, why in operation.statuses.items()}


def _answer_schema(operation: Operation, schemas: _Schemas) -> JsonSchema:
    if operation.answer is None:
        return {"type": "string", "contentEncoding": "binary"}
    if operation.is_bare:
        return schemas.answer(operation.answer)
    return {
        "type": "object",
        "required": ["code", "message", "data"],
        "properties": {
            "code": {"type": "integer", "const": 0},
            "message": {"type": "string"},
            "data": schemas.answer(operation.answer),
        },
    }


def _errors(verb: str, operation: Operation, schemas: _Schemas) -> JsonSchema:
    names = {*operation.errors, *_ALWAYS, *(_WITH_BODY if operation.body else ())}
    if operation.query is not NoQuery or operation.body:
        names.add("VALIDATION_FAILED")
    if verb not in _READS:
        names.add("XSRF_FAILED")
    by_status: dict[str, list[str]] = {}
    for name in sorted(names, key=CODES.__getitem__):
        by_status.setdefault(str(CODES[name] // 100), []).append(f"{CODES[name]} {name}")
    content = {"application/json": {"schema": schemas.answer(ErrorAnswer)}}
    return {
        status: {"description": ", ".join(words), "content": content}
        for status, words in by_status.items()
        if status not in {str(one) for one in operation.statuses}
    }
