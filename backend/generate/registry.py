"""The providers of this installation: every file in generate/providers/, by its id."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from backend.core.discovery import discover
from backend.domain.errors import UnknownPlatformError
from backend.domain.platform import PlatformInfo
from backend.domain.task import TaskKind
from backend.domain.text import Text
from backend.generate import providers as providers_package
from backend.generate.provider import Provider


class ProviderRegistry(Mapping[str, Provider]):
    """Providers by id, in the order of their files' names. Build it with `load_providers`."""

    def __init__(self, found: list[Provider]) -> None:
        """Raises ValueError when two providers claim one id, or one is not a provider of generations."""
        self._by_id: dict[str, Provider] = {}
        for provider in found:
            _check(provider.info)
            if provider.info.id in self._by_id:
                raise ValueError(f"two providers claim the id {provider.info.id!r}")
            self._by_id[provider.info.id] = provider

    def __getitem__(self, provider_id: str) -> Provider:
        """Return the provider of this id. Raises UnknownPlatformError."""
        try:
            return self._by_id[provider_id]
        except KeyError:
            text = Text(f"没有这个平台: {provider_id}", f"No such platform: {provider_id}")
            raise UnknownPlatformError(text) from None

    def __contains__(self, provider_id: object) -> bool:
        return provider_id in self._by_id

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def trusted_origins(self) -> frozenset[str]:
        """The base URLs that settings name: main.py lets the gate's policy trust these origins."""
        return frozenset(url for provider in self.values() for url in provider.info.trusted_origins)


def load_providers(environ: Mapping[str, str], package: ModuleType = providers_package) -> ProviderRegistry:
    """Make every provider of the package, each from its own variables of `environ`.

    Raises TypeError for a file without `create`, ValueError for two files with one id or a bad setting.
    """
    return ProviderRegistry(discover(package, environ))


def _check(info: PlatformInfo) -> None:
    if info.kind is not TaskKind.GENERATE:
        raise ValueError(f"{info.id!r} is no provider: its kind is {info.kind}")
    if info.type(info.default_type) is None:
        raise ValueError(f"{info.id!r} has no type {info.default_type!r}, its default")
