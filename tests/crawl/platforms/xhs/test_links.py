import pytest

from backend.crawl.platforms.xhs.links import Addresses, CreatorLink, NoteLink, creator_link, note_link


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (
            "https://www.xiaohongshu.com/explore/64f0c0de?xsec_token=AB%3D&xsec_source=pc_feed",
            NoteLink("64f0c0de", "AB=", "pc_feed"),
        ),
        ("https://www.xiaohongshu.com/discovery/item/64f0?xsec_token=T", NoteLink("64f0", "T", "pc_search")),
        ("http://xiaohongshu.com/explore/64f0/", NoteLink("64f0", None)),
        ("https://www.rednote.com/explore/64f0?xsec_token=T#top", NoteLink("64f0", "T")),
        ("https://www.xiaohongshu.com/user/profile/5ff0/64f0?xsec_token=T", NoteLink("64f0", "T")),
        ("https://www.xiaohongshu.com/user/profile/5ff0", None),
        ("https://example.org/explore/64f0?xsec_token=T", None),
        ("https://xiaohongshu.com.example.org/explore/64f0", None),
        ("https://www.xiaohongshu.com/explore/", None),
        ("https://www.xiaohongshu.com/explore/a/b", None),
        ("javascript:alert(1)", None),
        ("https://[", None),
    ],
)
def test_note_link_is_read(url: str, link: NoteLink | None) -> None:
    assert note_link(url) == link


def test_creator_link_is_read() -> None:
    url = "https://www.xiaohongshu.com/user/profile/5ff0?xsec_token=T&xsec_source=pc_note"

    assert creator_link(url) == CreatorLink("5ff0", "T", "pc_note")


def test_address_for_the_browser_has_the_token_and_the_one_for_people_has_none() -> None:
    addresses = Addresses()
    link = NoteLink("64f0", "A=B", "pc_search")

    assert note_link(addresses.note(link)) == link
    assert addresses.shown_note("64f0") == "https://www.xiaohongshu.com/explore/64f0"


def test_keyword_is_quoted() -> None:
    assert "keyword=%E9%9C%B2%E8%90%A5+%26+x&" in Addresses().search("露营 & x")
