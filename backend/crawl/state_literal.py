"""The state that a page's server wrote into its HTML: a JavaScript literal, read as data and never run."""

import json
import re
from typing import Any

MAX_CHARS = 8_000_000
_MAX_DEPTH = 200
_WORD_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:undefined|NaN|Infinity)\b|[\[{]|[\]}]', re.DOTALL)
_NOT_JSON = frozenset({"undefined", "NaN", "Infinity", "-Infinity"})


class _TooDeepError(ValueError):
    pass


def read_state(html: str, name: str) -> Any:
    """Return the value assigned to `window.NAME` in a script of the page, or None when there is none to be read.

    Bare `undefined` (NaN, Infinity too) becomes None. None as well for a literal that is cut, longer than eight
    million characters or nested deeper than 200. Takes some 50 ms for each million characters: not for the loop.
    """
    found = re.search(rf"window(?:\.{re.escape(name)}|\[[\"']{re.escape(name)}[\"']\])\s*=\s*(?=[\[{{])", html)
    if found is None:
        return None
    end = html.find("</script", found.end())
    literal = html[found.end() : end if end >= 0 else len(html)]
    if len(literal) > MAX_CHARS:
        return None
    try:
        value, _ = json.JSONDecoder(parse_constant=lambda _: None).raw_decode(_as_json(literal))
    except (ValueError, RecursionError):
        return None
    return value


def _as_json(literal: str) -> str:
    depth = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal depth
        token = found[0]
        if token in _NOT_JSON:
            return "null"
        depth += (token in {"[", "{"}) - (token in {"]", "}"})
        if depth > _MAX_DEPTH:
            raise _TooDeepError
        return token

    return _WORD_OR_STRING.sub(replaced, literal)
