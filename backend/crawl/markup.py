"""Whether a page can be parsed in bounded time.

The parser's time grows with the square of how deep elements nest (measured: 200,000 open divs take over 40 s) and of
how many attributes one tag has; a thread cannot be stopped. So the work is estimated first, and too much is refused.
"""

import re
from collections import Counter

# Below both of these the worst page takes some 0.1 s.
_FREE_TAGS = 4_000
_FREE_CHARS = 64 * 1024
_MAX_TAGS = 150_000
# Steps of some 4 ns each: elements looked at for every tag, attributes compared with each other.
_MAX_STEPS = 200_000_000
_LONG_TAG_CHARS = 2_000

# Linear: the alternatives begin with different characters, and every step always takes something.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]{0,40})((?:[^>"']++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+)>?""")
_ATTRIBUTE = re.compile(r"""[^\s=/]++(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s"']*+))?""")
_RAW = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|textarea)\b.*?(?:</\1|\Z)", re.DOTALL | re.IGNORECASE)
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
_ENDS_BY_ITSELF = {"html", "head", "body", "p", "li", "dd", "dt", "td", "th", "tr", "tbody", "thead", "tfoot"}
_NEVER_DEEP = frozenset(_VOID | _ENDS_BY_ITSELF)


class TooComplexError(ValueError):
    """The page cannot be parsed in bounded time."""


def bounded(html: str) -> str:
    """Return the page, without its scripts and comments when these alone look endless.

    Raises TooComplexError when it has over 150,000 tags, or would take the parser more than about a second.
    """
    tags = html.count("<")
    if tags <= _FREE_TAGS and len(html) <= _FREE_CHARS:
        return html
    if tags <= _MAX_TAGS and _is_bounded(html):
        return html
    bare = _RAW.sub(" ", html)
    if bare.count("<") > _MAX_TAGS or not _is_bounded(bare):
        raise TooComplexError("the page nests too deeply or has too many tags")
    return bare


def _is_bounded(html: str) -> bool:
    open_tags: Counter[str] = Counter()
    depth = steps = 0
    for slash, raw_name, rest in _TAG.findall(html):
        if len(rest) > _LONG_TAG_CHARS:
            steps += len(_ATTRIBUTE.findall(rest)) ** 2
        name = raw_name.lower()
        if name in _NEVER_DEEP:
            continue
        # Counted name by name: an end tag without its start tag closes nothing.
        if not slash:
            open_tags[name] += 1
            depth += 1
            steps += depth
        elif open_tags[name]:
            open_tags[name] -= 1
            depth -= 1
    return steps <= _MAX_STEPS
