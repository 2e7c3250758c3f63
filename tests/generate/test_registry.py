import sys
from pathlib import Path
from types import ModuleType

import pytest

from backend.domain.errors import UnknownPlatformError
from backend.domain.platform import DropsParams
from backend.generate.registry import ProviderRegistry, load_providers
from tests.fixtures.generation import API_KEY

ROOT = Path(__file__).parents[2]
FOUND = load_providers({})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of providers made of two files that claim the id `cogvideox`."""
    package = tmp_path / "vendors_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("one", "two"):
        (package / f"{name}.py").write_text("from backend.generate.providers.cogvideox import create\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__(package.name)
    module = sys.modules[package.name]
    monkeypatch.delitem(sys.modules, package.name)
    return module


def test_the_folder_is_walked() -> None:
    assert "cogvideox" in FOUND


def test_two_files_with_one_id_are_an_error(folder: ModuleType) -> None:
    with pytest.raises(ValueError, match="two providers claim the id 'cogvideox'"):
        load_providers({}, folder)


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(UnknownPlatformError, match="nobody"):
        FOUND["nobody"]


def test_each_provider_gets_its_own_variables() -> None:
    found = load_providers({"COGVIDEOX_API_KEY": API_KEY, "COGVIDEOX_BASE_URL": "http://127.0.0.1:9/v4"})

    assert found["cogvideox"].availability().available
    assert "http://127.0.0.1:9/v4" in found.trusted_origins


@pytest.mark.parametrize("provider_id", FOUND)
class TestEveryProvider:
    def test_has_a_test_of_its_own(self, provider_id: str) -> None:
        tests = [
            *ROOT.glob(f"tests/generate/test_{provider_id}*.py"),
            *ROOT.glob(f"tests/generate/*/test_{provider_id}*.py"),
        ]

        assert tests

    def test_has_titles_in_both_languages_and_a_default_type(self, provider_id: str) -> None:
        info = FOUND[provider_id].info

        assert info.title.zh
        assert info.title.en
        assert info.type(info.default_type) is not None

    def test_shows_parameter_models_that_forbid_extras_and_draw_a_form(self, provider_id: str) -> None:
        for kind in FOUND[provider_id].info.types:
            schema = kind.model.model_json_schema()

            assert schema["additionalProperties"] is False
            assert schema["properties"]

    def test_has_examples_that_run_as_they_are(self, provider_id: str) -> None:
        for kind in FOUND[provider_id].info.types:
            assert kind.examples
            for example in kind.examples:
                params = kind.model.model_validate(dict(example.params))
                assert not isinstance(params, DropsParams) or params.ignored() == ()

    def test_says_why_it_is_unavailable_and_what_to_do(self, provider_id: str) -> None:
        found = FOUND[provider_id].availability()

        assert found.available or (found.reason and found.message and found.advice)


def test_a_registry_of_nothing_is_empty() -> None:
    assert len(ProviderRegistry([])) == 0
