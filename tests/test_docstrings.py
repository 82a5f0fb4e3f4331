"""Every public name is documented, where it is declared first: overrides share that text."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType

import live_cam


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(live_cam.__path__, "live_cam."):
        if found.name != "live_cam.__main__":
            yield importlib.import_module(found.name)


def classes() -> Iterator[type]:
    for module in modules():
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and kind.__module__ == module.__name__ and name[0] != "_":
                yield kind


def public_functions(kind: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if name[0] != "_" and inspect.isfunction(function):
            yield name, function


def test_public_methods_have_docstrings() -> None:
    agreed = {
        name
        for kind in classes()
        if getattr(kind, "_is_protocol", False)
        for name, function in public_functions(kind)
        if function.__doc__
    }
    missing = [
        f"{kind.__module__}.{kind.__qualname__}.{name}"
        for kind in classes()
        for name, function in public_functions(kind)
        if not function.__doc__
        and name not in agreed
        and not any(name in vars(base) for base in kind.__mro__[1:])
    ]
    assert not missing
