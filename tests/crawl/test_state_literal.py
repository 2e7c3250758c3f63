import json
from typing import Any

import pytest

from backend.crawl.state_literal import read_state

NAME = "__INITIAL_STATE__"


def page(literal: str) -> str:
    return f"<html><body><script>window.{NAME}={literal}</script><script>window.other={{}}</script></body></html>"


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('{"a":undefined,"b":[undefined,1]}', {"a": None, "b": [None, 1]}),
        ('{"a":"undefined","b":"x undefined y"}', {"a": "undefined", "b": "x undefined y"}),
        (r'{"a":"say \"undefined\" \\","b":undefined}', {"a": 'say "undefined" \\', "b": None}),
        ('{"a":NaN,"b":-Infinity,"c":Infinity}', {"a": None, "b": None, "c": None}),
        ('{"id":9007199254740993123}', {"id": 9007199254740993123}),
        (r'{"a":"\u003C/script\u003E 露营"}', {"a": "</script> 露营"}),
        ('{"undefinedThing":1};(function(){var s})()', {"undefinedThing": 1}),
        ("[1,{}]", [1, {}]),
    ],
)
def test_literal_is_read_as_data(literal: str, value: Any) -> None:
    assert read_state(page(literal), NAME) == value


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<html>no state</html>",
        page('{"a":'),
        page('{"a":alert(1)}'),
        page("{a:1}"),
        page("undefined"),
        page("[" * 201 + "]" * 201),
        page('{"a":"' + "x" * 8_000_000 + '"}'),
        page('{"n":' + "9" * 5_000 + "}"),
    ],
)
def test_what_is_no_such_literal_is_none(html: str) -> None:
    assert read_state(html, NAME) is None


def test_state_is_found_under_a_quoted_name_too() -> None:
    assert read_state(f'<script>window["{NAME}"] = {{"a":1}}</script>', NAME) == {"a": 1}


def test_big_state_is_read_whole() -> None:
    value = {str(n): {"text": "露营" * 20, "list": [n] * 5} for n in range(10_000)}

    assert read_state(page(json.dumps(value, ensure_ascii=False)), NAME) == value
