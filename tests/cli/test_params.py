from typing import Any

import pytest

from backend.cli.params import BadParameterError, read_params
from backend.crawl.platforms.web import SiteParams

SCHEMA: dict[str, Any] = SiteParams.model_json_schema()


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (["max_pages=50"], {"max_pages": 50}),
        (["obey_robots=false"], {"obey_robots": False}),
        (["delay_s=0.5"], {"delay_s": 0.5}),
        (["scope=site"], {"scope": "site"}),
        (["include=*/a/*,*/b/*"], {"include": ["*/a/*", "*/b/*"]}),
        (["include=*/a/*", "include=*/b/*"], {"include": ["*/a/*", "*/b/*"]}),
        (['include=["*/a,b/*"]'], {"include": ["*/a,b/*"]}),
        (["scope=a=b"], {"scope": "a=b"}),
    ],
)
def test_word_is_read_as_the_schema_says(words: list[str], params: dict[str, Any]) -> None:
    assert read_params(words, SCHEMA) == params


@pytest.mark.parametrize("word", ["max_pages=many", "prority=3"])
def test_what_does_not_fit_goes_out_as_text_for_the_server_to_name(word: str) -> None:
    name, _, value = word.partition("=")

    assert read_params([word], SCHEMA) == {name: value}


@pytest.mark.parametrize("word", ["max_pages", "=3", "include=[1,"])
def test_what_cannot_be_read_is_refused(word: str) -> None:
    with pytest.raises(BadParameterError):
        read_params([word], SCHEMA)
