"""Packages that can be called as their main function is: `live_cam.explain(image)`."""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any


def make_callable(package: str, module: str) -> None:
    """Let a package be called as the function of its name in one of its modules.

    The module is imported by the first call, so the package stays as light as it is.

    Args:
        package: Dotted name of the package, which is being imported.
        module: Dotted name of the module that has the function.
    """
    name = package.rpartition(".")[2]

    def function() -> Any:
        return getattr(importlib.import_module(module), name)

    class CallablePackage(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return function()(*arguments, **options)

        @property
        def __signature__(self) -> inspect.Signature:
            return inspect.signature(function())

    sys.modules[package].__class__ = CallablePackage
