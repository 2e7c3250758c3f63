"""What is read of the stand-in, against its own truth: search, notes, creators, comments and replies."""

from datetime import UTC
from typing import Any

import pytest

from backend.domain.task import TaskStatus
from tests.fixtures.bare_context import Carried
from tests.fixtures.xhs_crawls import KEYWORD, XhsCrawl
from tests.fixtures.xhs_site import XhsSite

pytestmark = pytest.mark.browser

LIST_ONLY = {"details": False}


def succeeded(carried: Carried) -> bool:
    if carried.error is not None:
        raise carried.error
    assert carried.books is not None
    assert carried.books.adds_up
    return carried.ending is not None and carried.ending.status is TaskStatus.SUCCEEDED


def found(site: XhsSite, keyword: str = KEYWORD, **choice: Any) -> list[str]:
    return [note.note_id for note in site.world.notes(keyword, **choice)]


async def test_limit_is_exact_over_several_pages_of_results(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({**LIST_ONLY, "limit": 45})

    assert succeeded(carried)
    assert carried.books is not None
    assert await crawl.ids() == set(found(site)[:45])
    assert (carried.books.stored, carried.books.requested, site.unsigned) == (45, 3, [])


async def test_search_ends_where_the_site_has_no_more(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({**LIST_ONLY, "limit": 1_000})

    assert succeeded(carried)
    assert await crawl.ids() == set(found(site))


async def test_first_page_may_come_as_an_answer_too(crawl: XhsCrawl, site: XhsSite) -> None:
    site.is_rendered = False

    carried = await crawl.run({**LIST_ONLY, "limit": 25})

    assert succeeded(carried)
    assert await crawl.ids() == set(found(site)[:25])


async def test_pager_without_new_ids_is_finished_whatever_it_promises(crawl: XhsCrawl, site: XhsSite) -> None:
    site.plan("search", "loop", nth=2, times=0)

    carried = await crawl.run({**LIST_ONLY, "limit": 100})

    assert succeeded(carried)
    assert carried.books is not None
    assert carried.books.skipped_by == {"duplicate": 1}
    assert len(await crawl.ids()) == carried.books.fetched_unique == 40


async def test_keyword_without_results_succeeds_with_nothing(crawl: XhsCrawl, site: XhsSite) -> None:
    site.world.barren = frozenset({"没有"})

    carried = await crawl.run({"keywords": ["没有"]})

    assert succeeded(carried)
    assert carried.books is not None
    assert (carried.books.stored, carried.books.empty) == (0, 1)


async def test_each_keyword_has_its_own_limit(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({**LIST_ONLY, "keywords": [KEYWORD, "帐篷"], "limit": 3})

    assert succeeded(carried)
    by_query = {
        query: {item.item_id for item in await crawl.items() if query in item.queries} for query in (KEYWORD, "帐篷")
    }
    assert by_query == {query: set(found(site, query)[:3]) for query in (KEYWORD, "帐篷")}


@pytest.mark.parametrize("sort", ["time_descending", "popularity_descending"])
async def test_order_is_chosen_on_the_page(crawl: XhsCrawl, site: XhsSite, sort: str) -> None:
    carried = await crawl.run({**LIST_ONLY, "limit": 25, "sort": sort})

    assert succeeded(carried)
    assert await crawl.ids() == set(found(site, sort=sort)[:25])


async def test_only_notes_of_the_wanted_type_are_kept(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({**LIST_ONLY, "limit": 5, "note_type": "video"})

    assert succeeded(carried)
    truth = [note.note_id for note in site.world.notes(KEYWORD) if note.is_video]
    assert await crawl.ids() == set(truth[:5])


async def test_notes_that_are_too_old_are_left_out(crawl: XhsCrawl, site: XhsSite) -> None:
    context = crawl.context({"limit": 4, "published_within": "week"})

    carried = await crawl.carry_out(context)

    assert succeeded(carried)
    kept = await crawl.items("post")
    assert len(kept) == 4
    assert all((context.task.created_at - item.published_at).days < 7 for item in kept if item.published_at)


async def test_note_has_text_date_and_counts_of_its_own_page(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({"limit": 3})

    assert succeeded(carried)
    for item in await crawl.items("post"):
        note = site.world.note(item.item_id)
        assert note is not None
        assert (item.title, item.published_at) == (note.title, note.published_at.astimezone(UTC))
        counts = (item.metrics.like, item.metrics.save, item.metrics.share)
        assert counts == (note.likes.value, note.saves.value, note.shares.value)
        assert len([one for one in item.media if one.type == "image"]) == note.images


async def test_comments_and_replies_are_all_there(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({"limit": 1, "comments": True, "comments_limit": 500, "replies": True})

    assert succeeded(carried)
    (post,) = await crawl.items("post")
    comments = site.world.comments(post.item_id)
    truth = {one.comment_id for one in comments} | {reply.comment_id for one in comments for reply in one.replies}
    assert await crawl.ids("comment") == truth
    replies = {reply.comment_id: one.comment_id for one in comments for reply in one.replies}
    stored = {item.item_id: item for item in await crawl.items("comment")}
    assert all(stored[reply].parent_id in {root, *replies} for reply, root in replies.items())
    assert {item.root_id for item in stored.values()} == {post.item_id}
    assert carried.books is not None
    assert carried.books.reported_total == 1 + (post.metrics.comment or 0)


async def test_limit_of_comments_is_exact_for_each_note(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({"limit": 2, "comments": True, "comments_limit": 13})

    assert succeeded(carried)
    for post in await crawl.items("post"):
        truth = [one.comment_id for one in site.world.comments(post.item_id)][:13]
        assert {item.item_id for item in await crawl.items("comment") if item.root_id == post.item_id} == set(truth)


def link(site: XhsSite, note_id: str) -> str:
    note = site.world.note(note_id)
    assert note is not None
    return f"https://www.xiaohongshu.com/explore/{note_id}?xsec_token={note.token}&xsec_source=pc_search"


async def test_notes_are_read_by_their_links_and_a_missing_one_is_named(crawl: XhsCrawl, site: XhsSite) -> None:
    wanted = found(site)[:3]
    urls = [link(site, note_id) for note_id in wanted]
    site.world.remove(wanted[1])

    carried = await crawl.run({"urls": urls}, "detail")

    assert carried.ending is not None
    assert carried.ending.status is TaskStatus.PARTIAL
    assert "不存在" in carried.ending.message.zh
    assert await crawl.ids() == {wanted[0], wanted[2]}


async def test_note_that_is_gone_is_kept_as_the_list_showed_it(crawl: XhsCrawl, site: XhsSite) -> None:
    gone = found(site)[1]
    site.world.remove(gone)

    carried = await crawl.run({"limit": 3})

    assert carried.books is not None
    assert await crawl.ids() == set(found(site)[:3])


async def test_creator_is_read_with_notes_and_counts(crawl: XhsCrawl, site: XhsSite) -> None:
    note = site.world.notes(KEYWORD)[0]
    creator = note.author
    url = f"https://www.xiaohongshu.com/user/profile/{creator.user_id}?xsec_token={creator.token}&xsec_source=pc_note"

    carried = await crawl.run({"urls": [url], "limit": 35, "details": False}, "creator")

    assert succeeded(carried)
    posted = [one.note_id for one in site.world.posted(creator.user_id)]
    assert await crawl.ids() == set(posted[:35])
    (found_creator,) = await crawl.items("creator")
    assert (found_creator.extra.get("fans"), found_creator.metrics.like) == (creator.fans.value, creator.liked.value)
    assert creator.user_id not in str([(item.item_id, item.author, item.extra) for item in await crawl.items()])


async def test_pictures_become_artifacts_when_asked_for(crawl: XhsCrawl, site: XhsSite) -> None:
    carried = await crawl.run({"limit": 2, "media": "images"})

    assert succeeded(carried)
    pictures = [one for item in await crawl.items("post") for one in item.media if one.type == "image"]
    assert pictures
    assert all(one.artifact_id for one in pictures)
    assert crawl.tools.artifacts is not None
    artifact = await crawl.tools.artifacts.get(str(pictures[0].artifact_id))
    assert artifact is not None
    assert (artifact.role, artifact.media_type.startswith("image/")) == ("media", True)


async def test_no_token_is_in_items_pages_or_log(crawl: XhsCrawl, site: XhsSite) -> None:
    await crawl.run({"limit": 2, "comments": True, "comments_limit": 3})

    tokens = [note.token for note in site.world.notes(KEYWORD)[:2]]
    shown = str([await crawl.items(), await crawl.pages(), [run.lines for run in crawl.runs]])
    assert not any(token in shown for token in tokens)
