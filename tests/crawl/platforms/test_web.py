from typing import Any

import pytest
from pydantic import ValidationError

from backend.crawl.platforms.web import PageParams, SiteParams, create, plan_of

START = {"start_urls": ["https://example.org/"]}


def test_site_has_the_defaults_of_the_product() -> None:
    params = SiteParams.model_validate(START)

    assert params.model_dump(exclude={"start_urls"}) == {
        **{"scope": "host", "max_pages": 100, "max_depth": 5, "include": [], "exclude": [], "extract": "text"},
        **{"obey_robots": True, "concurrency": 8, "delay_s": 0.0},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_urls": []},
        {"start_urls": ["https://example.org/"] * 1_001},
        {"start_urls": [""]},
        {"start_urls": ["https://example.org/" + "a" * 2_048]},
        {"start_urls": "https://example.org/"},
        {"max_pages": 0},
        {"max_pages": 1_000_001},
        {"max_depth": -1},
        {"scope": "world"},
        {"extract": "markdown"},
        {"concurrency": 0},
        {"concurrency": 65},
        {"delay_s": -0.1},
        {"delay_s": 60.1},
        {"delay_s": float("nan")},
        {"include": ["*"] * 201},
        {"exclude": ["a" * 501]},
        {"prority": 1},
    ],
)
def test_site_refuses_what_is_over_a_limit(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SiteParams.model_validate({**START, **wrong})


@pytest.mark.parametrize("edge", [{"max_pages": 1_000_000}, {"max_depth": 0}, {"concurrency": 64}, {"delay_s": 60}])
def test_site_takes_what_is_at_a_limit(edge: dict[str, Any]) -> None:
    assert SiteParams.model_validate({**START, **edge})


def test_page_refuses_no_urls_and_too_many() -> None:
    for urls in ([], ["https://example.org/"] * 1_001):
        with pytest.raises(ValidationError):
            PageParams.model_validate({"urls": urls})


def test_same_start_twice_is_one_start() -> None:
    plan = plan_of("site", {"start_urls": ["https://example.org", "https://EXAMPLE.org/#top"]})

    assert [start.url for start in plan.starts] == ["https://example.org/"]


@pytest.mark.parametrize(
    ("url", "title"),
    [("https://docs.example.org/3/", "docs.example.org"), ("https://a:b@h.example/", "h.example"), ("x", "x")],
)
def test_title_is_the_host_of_the_first_url(url: str, title: str) -> None:
    assert create({}).title_of({"start_urls": [url]}) == title


def test_web_can_always_run() -> None:
    assert create({}).availability().available
