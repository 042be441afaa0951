"""Python and its packages: are they there, and do they fit each other?"""

import platform
import sys
from collections.abc import Iterator

from crnn_mindspore.doctor.machine import Machine
from crnn_mindspore.doctor.verdict import FAULT, OK, WARNING, Verdict
from crnn_mindspore.versions import version_tuple

_INSTALL = "docs/install.md"
_REFERENCE = "2.8.0"  # of MindSpore, what the project was tested with
_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 11), (3, 12)
_FIRST_UNFIT_NUMPY = (2, 0)  # for MindSpore 2.8
# Module -> the package that brings it: what reading and training take without asking.
_MODULES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "pydantic": "pydantic",
    "lmdb": "lmdb",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "google.protobuf": "protobuf",
    "scipy": "scipy",
}
# Shared library -> how a system gets it: Debian and Ubuntu, openEuler.
_LIBRARIES = {
    "libgomp.so.1": ("libgomp1", "libgomp"),
    "libstdc++.so.6": ("libstdc++6", "libstdc++"),
}


def check_packages(machine: Machine) -> Iterator[Verdict]:
    """Python, MindSpore, NumPy, the other packages, and the libraries that these load."""
    yield _python()
    mindspore = machine.version("mindspore")
    yield _mindspore(mindspore)
    yield _numpy(machine.version("numpy"), bool(mindspore))
    for module, package in _MODULES.items():
        version = machine.version(package)
        if not machine.has_module(module):
            yield Verdict(package, FAULT, "missing", f"pip install {package}; versions: requirements.txt")
        else:
            yield Verdict(package, OK, version or "found")
    for library, (of_debian, of_euler) in _LIBRARIES.items():
        if machine.has_library(library):
            yield Verdict(library, OK, "loads")
        else:
            install = f"apt-get install {of_debian}, on openEuler dnf install {of_euler}"
            yield Verdict(library, FAULT, "does not load", install)


def _python() -> Verdict:
    version = platform.python_version()
    found = f"{version}, {platform.machine()}"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Verdict("Python", FAULT, found, f"install Python 3.11, see {_INSTALL}")
    if sys.version_info[:2] > _NEWEST_PYTHON:
        return Verdict("Python", WARNING, f"{found}: MindSpore {_REFERENCE} has no wheel for it", _INSTALL)
    return Verdict("Python", OK, found)


def _mindspore(version: str) -> Verdict:
    if not version:
        return Verdict("MindSpore", FAULT, "missing: no training", f"pip install mindspore=={_REFERENCE}")
    if version != _REFERENCE:
        tested = f"{version}; tested with {_REFERENCE} alone"
        return Verdict("MindSpore", WARNING, tested, f"pip install mindspore=={_REFERENCE}")
    return Verdict("MindSpore", OK, version)


def _numpy(version: str, is_with_mindspore: bool) -> Verdict:
    if not version:
        return Verdict("NumPy", FAULT, "missing", "pip install 'numpy<2'")
    if is_with_mindspore and version_tuple(version) >= _FIRST_UNFIT_NUMPY:
        return Verdict("NumPy", FAULT, f"{version}: MindSpore needs one below 2", "pip install 'numpy<2'")
    return Verdict("NumPy", OK, version)
