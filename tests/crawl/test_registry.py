"""Every platform keeps the same promises; a new file is held to them without being named here."""

import types
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.crawl.platform import CrawlPlatform
from backend.crawl.registry import PlatformRegistry, load_platforms, with_browsers
from backend.domain.errors import UnknownPlatformError
from backend.domain.platform import Availability, PlatformType
from backend.domain.text import Text

REGISTRY = load_platforms({})
PLATFORMS = list(REGISTRY.values())
TYPES = [(platform, one) for platform in PLATFORMS for one in platform.info.types]
each_platform = pytest.mark.parametrize("platform", PLATFORMS, ids=list(REGISTRY))
each_type = pytest.mark.parametrize(("platform", "one"), TYPES, ids=[f"{p.info.id}-{t.id}" for p, t in TYPES])


def is_bilingual(text: Text) -> bool:
    return bool(text.zh.strip()) and bool(text.en.strip())


@each_platform
def test_platform_has_a_file_of_tests(platform: CrawlPlatform) -> None:
    tests = Path(__file__).parent / "platforms"
    assert (tests / f"test_{platform.info.id}.py").is_file() or list((tests / platform.info.id).glob("test_*.py"))


@each_platform
def test_platform_is_titled_in_both_languages(platform: CrawlPlatform) -> None:
    assert is_bilingual(platform.info.title)


@each_platform
def test_platform_that_cannot_run_says_why_and_what_to_do(platform: CrawlPlatform) -> None:
    state = platform.availability()

    assert state.available or (state.reason and state.message and state.advice)


@each_type
def test_type_is_titled_in_both_languages(platform: CrawlPlatform, one: PlatformType) -> None:
    assert is_bilingual(one.title)
    assert all(is_bilingual(example.title) for example in one.examples)


@each_type
def test_examples_are_valid_and_give_a_title(platform: CrawlPlatform, one: PlatformType) -> None:
    assert one.examples
    for example in one.examples:
        valid = one.model.model_validate(dict(example.params))
        assert platform.title_of(valid.model_dump())


@each_type
def test_defaults_are_valid_values(platform: CrawlPlatform, one: PlatformType) -> None:
    full = one.model.model_validate(dict(one.examples[0].params)).model_dump()

    assert one.model.model_validate(full).model_dump() == full


@each_type
def test_unknown_parameter_is_refused(platform: CrawlPlatform, one: PlatformType) -> None:
    with pytest.raises(ValidationError, match="prority"):
        one.model.model_validate({**one.examples[0].params, "prority": 1})


@each_type
def test_every_field_has_a_title_in_both_languages_and_a_place(platform: CrawlPlatform, one: PlatformType) -> None:
    properties = one.model.model_json_schema()["properties"]

    assert all(field["x-i18n"]["zh"] and field["x-i18n"]["en"] for field in properties.values())
    orders = [field["x-ui"]["order"] for field in properties.values()]
    assert len(set(orders)) == len(orders)


@each_type
def test_url_fields_are_exactly_those_the_service_checks(platform: CrawlPlatform, one: PlatformType) -> None:
    properties = one.model.model_json_schema()["properties"]
    of_urls = {name for name, field in properties.items() if field.get("items", {}).get("format") == "uri"}

    assert of_urls == set(one.model.URL_FIELDS)


def test_two_platforms_with_one_id_are_an_error() -> None:
    with pytest.raises(ValueError, match="two platforms claim the id 'web'"):
        PlatformRegistry([REGISTRY["web"], REGISTRY["web"]])


NO_BROWSER = Availability(False, "NO_BROWSER", Text("没有浏览器", "No browser"), Text("安装", "Install one"))


def test_only_platforms_that_need_a_browser_are_unavailable_without_one() -> None:
    found = with_browsers(REGISTRY, lambda: NO_BROWSER)

    assert [name for name, one in found.items() if not one.availability().available] == ["xhs"]
    assert found["xhs"].availability() is NO_BROWSER


def test_platform_is_available_as_soon_as_there_is_a_browser() -> None:
    now = [NO_BROWSER]
    platform = with_browsers(REGISTRY, lambda: now[0])["xhs"]

    now[0] = Availability(True)

    assert platform.availability().available
    assert (platform.info.id, platform.title_of({"keywords": ["露营"]})) == ("xhs", "露营")


def test_unknown_platform_is_named() -> None:
    with pytest.raises(UnknownPlatformError, match="nowhere"):
        REGISTRY["nowhere"]


def test_file_without_a_platform_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some_platforms"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "nothing.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    package = types.ModuleType("some_platforms")
    package.__path__ = [str(folder)]

    with pytest.raises(TypeError, match="create"):
        load_platforms({}, package)
