"""What a page says: title, main text, links, language, dates and other metadata. Pure functions, made for a thread."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import orjson
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from backend.crawl.decoding import decode
from backend.crawl.markup import TooComplexError, bounded
from backend.crawl.scope import Scope
from backend.crawl.urls import Target, target_of

MAX_TEXT_CHARS = 1_000_000
MAX_LINKS = 5_000
_MAX_TITLE_CHARS = 500
_MAX_META_CHARS = 2_000
_MAX_TAGS = 20
_MAX_JSON_LD_CHARS = 256 * 1024
_MAX_JSON_LD_NODES = 200
_SLASHES_OF_A_ROOT = 2

# A private character marks where a block begins: the source's own line breaks mean nothing in HTML.
_BREAK = "\ue000"
_BLOCKS = (
    "p,div,li,br,h1,h2,h3,h4,h5,h6,tr,section,article,pre,blockquote,dt,dd,figcaption,figure,table,ul,ol,header,main"
)
_NEVER_TEXT = [
    *("script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "select", "button"),
    *("textarea", "dialog", "head"),
]
_BOILERPLATE = (
    "nav,footer,aside,form,[role=navigation],[role=banner],[role=contentinfo],[role=search],[role=complementary],"
    "[aria-hidden=true],[hidden],.nav,.navbar,.menu,.breadcrumb,.breadcrumbs,.sidebar,.side-bar,#sidebar,.footer,"
    "#footer,#header,.pagination,.share,.social,.related,.comments,#comments,.advertisement,.ads,.cookie"
)
_MAINS = ("article", "main", "[role=main]", "[itemprop=articleBody]", "#content", ".content", "#main", ".post")
_ENOUGH_CHARS = 250
_ENOUGH_SHARE = 0.3
_LEAST_SHARE = 0.1
_PLAIN_PATH = re.compile(r"(?:/[a-zA-Z0-9_\-%][a-zA-Z0-9_\-%.]*+)++/?(?:\?[a-zA-Z0-9_\-%.=&+]*+)?")
_UNFOLLOWED = ("#", "javascript:", "mailto:", "tel:", "data:", "about:", "blob:")
_KANA, _HANGUL = re.compile("[\u3040-\u30ff]"), re.compile("[\uac00-\ud7a3]")
_HAN, _LATIN = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]")
_LANG_SAMPLE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was found on one page. `links` are in the scope, each once, in the order of the page."""

    title: str | None
    text: str
    lang: str | None
    content_hash: str
    links: tuple[Target, ...] = ()
    published_at: datetime | None = None
    image: str | None = None
    tags: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Whether the page says nothing at all and leads nowhere: what a site sends instead of an answer."""
        return not (self.title or self.text or self.links or self.image)


class StoppedError(Exception):
    """The caller wants the page no more."""


def extract(
    body: bytes,
    *,
    content_type: str | None,
    url: str,
    scope: Scope | None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Extracted:
    """Return what the page at `url` says; without a scope no links are looked for.

    `is_stopped` is asked between steps of some ms, from this thread. Raises StoppedError when it says so, and
    TooComplexError, or another ValueError, for what cannot be parsed.
    """
    _go_on_unless(is_stopped)
    text, encoding = decode(body, content_type)
    if (content_type or "").lower().startswith("text/plain"):
        return _plain_text(text)
    try:
        tree = LexborHTMLParser(bounded(text))
    except SelectolaxError as error:
        raise ValueError(str(error)) from error
    links = tuple(_links(tree, encoding, url, scope, is_stopped)) if scope is not None else ()
    _go_on_unless(is_stopped)
    return _extracted(tree, encoding, url, links)


def _go_on_unless(is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise StoppedError


def _plain_text(text: str) -> Extracted:
    kept = _storable(text.strip())[:MAX_TEXT_CHARS]
    return Extracted(title=None, text=kept, lang=_lang_of_text(kept), content_hash=_hash(kept))


def _extracted(tree: LexborHTMLParser, encoding: str, url: str, links: tuple[Target, ...]) -> Extracted:
    metas, linked = _metas(tree), _json_ld(tree)
    title = _title(tree, metas)
    published_at = _published_at(tree, metas, linked)
    # Last: it takes the tree apart.
    text = _main_text(tree)
    page_lang = (tree.root.attributes.get("lang") if tree.root else None) or metas.get("og:locale", "").replace(
        "_", "-"
    )
    extra: dict[str, Any] = {
        **{name: metas[name] for name in ("description", "og:site_name", "og:type") if name in metas},
        **({"json_ld": linked} if linked else {}),
        **({"is_truncated": True} if len(text) > MAX_TEXT_CHARS else {}),
        "encoding": encoding,
    }
    image = metas.get("og:image")
    return Extracted(
        title=title,
        text=text[:MAX_TEXT_CHARS],
        lang=(page_lang or "")[:35] or _lang_of_text(text),
        content_hash=_hash(text[:MAX_TEXT_CHARS]),
        links=links,
        published_at=published_at,
        image=urljoin(url, image) if image else None,
        tags=_tags(metas),
        extra={name.replace(":", "_"): value for name, value in extra.items()},
    )


def _links(
    tree: LexborHTMLParser, encoding: str, url: str, scope: Scope, is_stopped: Callable[[], bool]
) -> Iterable[Target]:
    base = _base(tree, url)
    root = base[: base.find("/", base.find("://") + 3)] if base.count("/") > _SLASHES_OF_A_ROOT else base
    # Each spelling once, before the costly step: a page names the same link many times.
    spellings = dict.fromkeys(
        href.strip()
        for node in tree.css("a[href],area[href],frame[src],iframe[src]")
        if (href := node.attributes.get("href") or node.attributes.get("src"))
    )
    seen: set[str] = set()
    for href in spellings:
        _go_on_unless(is_stopped)
        target = _resolved(base, root, href, encoding)
        if target is None or target.fingerprint in seen:
            continue
        seen.add(target.fingerprint)
        if scope.follows(target.url):
            yield target
        if len(seen) >= MAX_LINKS:
            return


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    href = node.attributes.get("href") if node is not None else None
    try:
        return urljoin(url, href) if href else url
    except ValueError:
        return url


def _resolved(base: str, root: str, href: str, encoding: str) -> Target | None:
    if not href or href[:11].lower().startswith(_UNFOLLOWED):
        return None
    # Most links are of this plain kind, and joining is the costliest step of reading a page.
    try:
        return target_of(root + href if _PLAIN_PATH.fullmatch(href) else urljoin(base, href), encoding)
    except ValueError:
        return None


def _metas(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop")
        value = _clean(attributes.get("content") or "")
        if name and value:
            found.setdefault(name.lower()[:100], value[:_MAX_META_CHARS])
    return found


def _title(tree: LexborHTMLParser, metas: Mapping[str, str]) -> str | None:
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        words = _clean(node.text()) if node is not None else ""
        if words:
            return words[:_MAX_TITLE_CHARS]
    return metas.get("og:title", "")[:_MAX_TITLE_CHARS] or None


def _main_text(tree: LexborHTMLParser) -> str:
    body = tree.body
    if body is None:
        return ""
    tree.strip_tags(_NEVER_TEXT)
    for node in body.css(_BLOCKS):
        node.insert_before(_BREAK)
    whole = body.text()
    for node in body.css(_BOILERPLATE):
        node.decompose()
    part = _best_part(body)
    # A page that is all boilerplate by its names is not: take it whole.
    return _lines(part if len(part) > len(whole) * _LEAST_SHARE else whole)


def _best_part(body: LexborNode) -> str:
    text = body.text()
    for selector in _MAINS:
        nodes = body.css(selector)
        if len(nodes) == 1 and len(part := nodes[0].text()) >= max(_ENOUGH_CHARS, len(text) * _ENOUGH_SHARE):
            return part
    return text


def _lines(text: str) -> str:
    words = " ".join(text.split())
    return _storable("\n".join(line for part in words.split(_BREAK) if (line := part.strip())))


def _json_ld(tree: LexborHTMLParser) -> dict[str, str]:
    for node in tree.css('script[type="application/ld+json"]'):
        raw = node.text()
        if len(raw) > _MAX_JSON_LD_CHARS:
            continue
        try:
            known = _first_dated(orjson.loads(raw))
        except orjson.JSONDecodeError:
            continue
        if known:
            return known
    return {}


def _first_dated(value: Any) -> dict[str, str]:
    queue, looked_at = [value], 0
    while queue and looked_at < _MAX_JSON_LD_NODES:
        one = queue.pop(0)
        looked_at += 1
        if isinstance(one, list):
            queue += one[:_MAX_JSON_LD_NODES]
        if not isinstance(one, dict):
            continue
        names = ("@type", "headline", "datePublished", "dateModified")
        known = {
            name.lstrip("@"): _clean(one[name])[:_MAX_TITLE_CHARS] for name in names if isinstance(one.get(name), str)
        }
        if "headline" in known or "datePublished" in known:
            return known
        queue += [one[name] for name in ("@graph", "mainEntity") if name in one]
    return {}


def _published_at(tree: LexborHTMLParser, metas: Mapping[str, str], linked: Mapping[str, str]) -> datetime | None:
    names = ("article:published_time", "datepublished", "pubdate", "publishdate", "date", "dc.date.issued")
    node = tree.css_first("time[datetime][pubdate],time[itemprop=datePublished]")
    stated = [linked.get("datePublished"), *(metas.get(name) for name in names)]
    stated.append(node.attributes.get("datetime") if node is not None else None)
    return next((moment for words in stated if words and (moment := _moment(words)) is not None), None)


def _moment(words: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(words.strip()[:40])
    except ValueError:
        return None
    try:
        # A time without a zone is taken as UTC.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _tags(metas: Mapping[str, str]) -> tuple[str, ...]:
    words = re.split(r"[,，;、]", metas.get("keywords", ""))
    return tuple(dict.fromkeys(word.strip()[:50] for word in words if word.strip()))[:_MAX_TAGS]


def _lang_of_text(text: str) -> str | None:
    sample = text[:_LANG_SAMPLE_CHARS]
    for pattern, lang, share in ((_KANA, "ja", 0.05), (_HANGUL, "ko", 0.2), (_HAN, "zh", 0.2)):
        if len(pattern.findall(sample)) > len(sample) * share:
            return lang
    return None


def _clean(words: str) -> str:
    return _storable(" ".join(words.split()))


def _storable(words: str) -> str:
    # Half of a surrogate pair is no text that UTF-8, and so MongoDB, can hold.
    return words if words.isascii() else words.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


__all__ = ["MAX_LINKS", "MAX_TEXT_CHARS", "Extracted", "StoppedError", "TooComplexError", "extract"]
