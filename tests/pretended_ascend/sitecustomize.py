"""Installs the pretended Ascend in a program as soon as it has imported MindSpore."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType


class _Loader(importlib.abc.Loader):
    """Another loader, and the stand-ins after it."""

    def __init__(self, real: importlib.abc.Loader) -> None:
        self._real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        import pretended

        record = pretended.into_file(os.environ[pretended.RECORD])
        pretended.install(module, record, os.environ.get(pretended.CHIP, "ascend910b"))


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "mindspore":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


if "PRETENDED_ASCEND_RECORD" in os.environ:
    sys.meta_path.insert(0, _Finder())
