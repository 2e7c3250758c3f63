from typing import Any

import pytest
from pydantic import ValidationError

from backend.core.settings import SettingsError
from backend.crawl.platforms.xhs import create
from backend.crawl.platforms.xhs.params import CreatorParams, DetailParams, SearchParams
from backend.services.field_problems import problems_of


def test_call_of_the_owners_guide_is_valid() -> None:
    params = SearchParams.model_validate({"keywords": ["露营"], "limit": 20})

    assert (params.keywords, params.limit, params.sort, params.note_type, params.comments) == (
        *(["露营"], 20, "general"),
        *("all", False),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"keywords": []},
        {"keywords": ["k"] * 21},
        {"keywords": [" "]},
        {"keywords": ["k" * 101]},
        {"limit": 0},
        {"limit": 1_001},
        {"sort": "newest"},
        {"note_type": "text"},
        {"keyword": "露营"},
    ],
)
def test_search_refuses_what_is_over_a_limit(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SearchParams.model_validate({"keywords": ["露营"], **wrong})


NOTE_URL = "https://www.xiaohongshu.com/explore/64f0?xsec_token=T"
CREATOR_URL = "https://www.xiaohongshu.com/user/profile/5ff0"


@pytest.mark.parametrize(("model", "url"), [(DetailParams, NOTE_URL), (CreatorParams, CREATOR_URL)])
def test_links_are_one_to_a_hundred(model: type[DetailParams] | type[CreatorParams], url: str) -> None:
    for count in (1, 100):
        model.model_validate({"urls": [url] * count})
    for count in (0, 101):
        with pytest.raises(ValidationError, match=r"at (least|most)"):
            model.model_validate({"urls": [url] * count})


@pytest.mark.parametrize(
    ("model", "url"),
    [
        (DetailParams, "https://www.xiaohongshu.com/explore/64f0"),
        (DetailParams, CREATOR_URL),
        (DetailParams, "https://example.org/explore/64f0?xsec_token=T"),
        (CreatorParams, NOTE_URL),
        (CreatorParams, "https://example.org/user/profile/5ff0"),
    ],
)
def test_link_that_cannot_be_opened_is_refused_with_words(
    model: type[DetailParams] | type[CreatorParams], url: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"urls": [url]})

    (problem,) = problems_of(caught.value, prefix="params")
    assert (problem.path, problem.code) == ("params.urls.0", "BAD_URL")
    assert problem.message.zh != problem.message.en


def test_limit_says_that_it_is_per_keyword() -> None:
    limit = SearchParams.model_json_schema()["properties"]["limit"]

    assert "per keyword" in limit["x-i18n"]["en"].lower()


def test_nothing_but_a_browser_is_needed() -> None:
    platform = create({})

    assert (platform.info.needs_browser, platform.availability().available) == (True, True)


def test_base_url_of_the_settings_is_trusted() -> None:
    platform = create({"XHS_BASE_URL": "https://www.rednote.com/"})

    assert platform.info.trusted_origins == ("https://www.rednote.com",)


@pytest.mark.parametrize("wrong", [{"XHS_BASE_URL": "ftp://x"}, {"XHS_BASE_URL": "xhs"}, {"XHS_MIN_INTERVAL_S": "-1"}])
def test_setting_that_cannot_be_used_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        create(wrong)


def test_title_is_made_of_the_keywords() -> None:
    assert create({}).title_of({"keywords": ["露营", "帐篷", "睡袋", "炉"]}) == "露营、帐篷、睡袋"
