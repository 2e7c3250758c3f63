"""Find the members of a package by walking its folder: adding a file adds a member, nothing else is edited."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def discover(package: ModuleType, environ: Mapping[str, str]) -> list[Any]:
    """Return what each module's `create(environ)` makes, in the order of their file names.

    Raises TypeError when a module of the package has no `create`.
    """
    members: list[Any] = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        create: Callable[[Mapping[str, str]], Any] | None = getattr(module, "create", None)
        if create is None:
            raise TypeError(f"{module.__name__} has no create(environ)")
        members.append(create(environ))
    return members
