"""Measured on real pages where they are at hand: MEDIACRAWER_TEST_DATA names a folder with encoding/ and robots/."""

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.crawl.decoding import decode
from backend.crawl.fetch import Answer
from backend.crawl.robots import RobotRules, read_rules

_SAME_AS = {
    "windows-1251-russian": "cp1251",
    "gb2312": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
}
# euc-tw has no codec; the plane-1 sample in UTF-16 says nothing of its encoding.
_LEFT_OUT = {"EUC-TW", "UTF-16BE"}


@pytest.fixture(scope="module")
def material() -> Path:
    folder = os.environ.get("MEDIACRAWER_TEST_DATA")
    if not folder:
        pytest.skip("MEDIACRAWER_TEST_DATA is not set: no real pages to measure on")
    return Path(folder)


def encoded(material: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((material / "encoding" / "chardet").glob("*/*")):
        if path.parent.name not in _LEFT_OUT:
            name = path.parent.name.lower()
            yield _SAME_AS.get(name, name), path.read_bytes()


def test_samples_of_every_encoding_are_decoded_right(material: Path) -> None:
    wrong = []
    for encoding, body in encoded(material):
        text, found = decode(body, None)
        expected = body.decode(encoding, "replace").lstrip("\ufeff")
        same = sum(one == other for one, other in itertools.zip_longest(text, expected))
        if same < len(expected) * 0.98:
            wrong.append((encoding, found))

    assert wrong == []


def test_robots_verdicts_agree_with_the_reference_parser(material: Path) -> None:
    folder = material / "robots"
    cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text("utf-8").splitlines()]
    files = {path.name.partition(".")[0]: path for path in (folder / "txt").iterdir()}
    agreed = 0
    for case in cases:
        body = files[case["file"].partition(".")[0]].read_bytes()
        rules = read_rules(Answer("u", status=200, body=body), case["ua"])
        assert isinstance(rules, RobotRules)
        agreed += rules.allows(case["url"]) == case["allowed"]

    assert agreed / len(cases) >= 0.99
