"""Links of the site: what they name, and the addresses of its pages.

Source: the addresses that the site's own pages have, as people copy them; checked 2026-11-21, not on the live site.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

SITE = "https://www.xiaohongshu.com"
_HOSTS = ("xiaohongshu.com", "rednote.com")
_ID = r"([0-9A-Za-z_-]{1,64})"
_NOTE_PATH = re.compile(rf"/(?:explore|discovery/item|search_result|user/profile/[0-9A-Za-z_-]{{1,64}})/{_ID}/?")
_CREATOR_PATH = re.compile(rf"/user/profile/{_ID}/?")
_FROM_SEARCH = "pc_search"
_FROM_FEED = "pc_feed"


@dataclass(frozen=True, slots=True)
class NoteLink:
    """A note, and the token without which its page is refused. The token is for the next step only: never shown."""

    note_id: str
    token: str | None = None
    token_source: str = _FROM_SEARCH


@dataclass(frozen=True, slots=True)
class CreatorLink:
    """A creator's page."""

    creator_id: str
    token: str | None = None
    token_source: str = _FROM_FEED


def note_link(url: str) -> NoteLink | None:
    """Return the note that a link names, or None when it is no link to a note of the site."""
    found = _match(url, _NOTE_PATH)
    return None if found is None else NoteLink(found[0], found[1], found[2] or _FROM_SEARCH)


def creator_link(url: str) -> CreatorLink | None:
    """Return the creator whose page a link names, or None when it is no such link."""
    found = _match(url, _CREATOR_PATH)
    return None if found is None else CreatorLink(found[0], found[1], found[2] or _FROM_FEED)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The site's pages under one origin (`https://host`, no slash at its end)."""

    origin: str = SITE

    def search(self, keyword: str, *, more: dict[str, str] | None = None) -> str:
        """Return the page that searches for a keyword."""
        query = {"keyword": keyword, "source": "web_search_result_notes", **(more or {})}
        return f"{self.origin}/search_result?{urlencode(query)}"

    def note(self, link: NoteLink) -> str:
        """Return a note's page, with its token: for the browser, not for people."""
        return self.shown_note(link.note_id) + _query(link.token, link.token_source)

    def creator(self, link: CreatorLink) -> str:
        """Return a creator's page, with its token: for the browser, not for people."""
        return self.shown_creator(link.creator_id) + _query(link.token, link.token_source)

    def shown_note(self, note_id: str) -> str:
        """Return a note's address as it is stored and exported."""
        return f"{self.origin}/explore/{quote(note_id, safe='')}"

    def shown_creator(self, creator_id: str) -> str:
        """Return a creator's address as it is stored and exported."""
        return f"{self.origin}/user/profile/{quote(creator_id, safe='')}"


def _query(token: str | None, source: str) -> str:
    return "?" + urlencode({"xsec_token": token, "xsec_source": source}) if token else ""


def _match(url: str, path: re.Pattern[str]) -> tuple[str, str | None, str | None] | None:
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return None
    is_ours = any(host == one or host.endswith(f".{one}") for one in _HOSTS)
    found = path.fullmatch(parts.path)
    if parts.scheme not in {"http", "https"} or not is_ours or found is None:
        return None
    query = parse_qs(parts.query)
    return found[1], query.get("xsec_token", [None])[0], query.get("xsec_source", [None])[0]
