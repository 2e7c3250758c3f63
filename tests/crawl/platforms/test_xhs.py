from typing import Any

import pytest
from pydantic import ValidationError

from backend.crawl.platforms.xhs import CreatorParams, DetailParams, SearchParams, create


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


@pytest.mark.parametrize("model", [DetailParams, CreatorParams])
@pytest.mark.parametrize("count", [0, 101])
def test_links_are_one_to_a_hundred(model: type[DetailParams] | type[CreatorParams], count: int) -> None:
    with pytest.raises(ValidationError):
        model.model_validate({"urls": ["https://www.xiaohongshu.com/explore/1"] * count})


def test_limit_says_that_it_is_per_keyword() -> None:
    limit = SearchParams.model_json_schema()["properties"]["limit"]

    assert "per keyword" in limit["x-i18n"]["en"].lower()


def test_xhs_is_listed_as_not_built() -> None:
    state = create({}).availability()

    assert (state.available, state.reason) == (False, "NOT_BUILT")


def test_title_is_made_of_the_keywords() -> None:
    assert create({}).title_of({"keywords": ["露营", "帐篷", "睡袋", "炉"]}) == "露营、帐篷、睡袋"
