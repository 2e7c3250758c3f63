"""`-p name=value`: parameters of a task as words, read by the platform's own schema."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.api.platforms.schemas import PlatformOut, TypeOut

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class BadParameterError(ValueError):
    """A parameter that is no name=value, or a platform or type that is not there."""


def type_of(platforms: Sequence["PlatformOut"], platform_id: str, type_id: str | None) -> "TypeOut":
    """Return what a platform's type takes. Raises BadParameterError, which names what there is."""
    known = {one["id"]: one for one in platforms}
    if platform_id not in known:
        raise BadParameterError(f"没有平台 / no platform {platform_id!r}: {', '.join(sorted(known))}")
    platform = known[platform_id]
    types = {one["id"]: one for one in platform["types"]}
    chosen = type_id or platform["default_type"]
    if chosen not in types:
        raise BadParameterError(f"{platform_id} 没有类型 / has no type {chosen!r}: {', '.join(types)}")
    return types[chosen]


def read_params(words: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of `name=value` words; a name given again adds to a list.

    A value that starts with [ or { is JSON; else the schema says what it is. What the schema does not know goes out as
    text: the server names the nearest word. Raises BadParameterError.
    """
    params: dict[str, Any] = {}
    for said in words:
        name, equals, text = said.partition("=")
        if not equals or not name:
            raise BadParameterError(f"-p {said!r}: 须为 name=value / must be name=value")
        value = _value(text, schema.get("properties", {}).get(name, {}))
        if isinstance(value, list) and isinstance(params.get(name), list):
            params[name] += value
        else:
            params[name] = value
    return params


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    kinds = _kinds(schema)
    if text.startswith(("[", "{")) and kinds & {"array", "object"}:
        try:
            return json.loads(text)
        except ValueError as error:
            raise BadParameterError(f"{text!r}: JSON {error}") from None
    if "array" in kinds:
        return [_scalar(part.strip(), _kinds(schema.get("items", {}))) for part in text.split(",") if part.strip()]
    return _scalar(text, kinds)


def _scalar(text: str, kinds: set[str]) -> Any:
    if "boolean" in kinds and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind, read in (("integer", int), ("number", float)):
        if kind in kinds:
            try:
                return read(text)
            except ValueError:
                # The server says what is wrong with it, and in which language.
                continue
    return text


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    named = schema.get("type")
    kinds = {named} if isinstance(named, str) else set(named or ())
    for one in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        kinds |= _kinds(one)
    return kinds
