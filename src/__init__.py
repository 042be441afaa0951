"""The model zoo's names. In a checkout, importing this makes the package `crnn_mindspore` importable."""

import sys
from pathlib import Path


def _make_importable() -> None:
    """Imports the package of this checkout, once and under its own name.

    For this import the checkout goes before an installed package. Afterwards its folder stands last, for the
    processes that this one starts: `dataset`, `loss` and the zoo's other names lie in it, and must not come
    before anybody's modules of these names.
    """
    folder = str(Path(__file__).resolve().parent)
    if "crnn_mindspore" in sys.modules:
        return
    sys.path.insert(0, folder)
    import crnn_mindspore  # noqa: F401

    sys.path.remove(folder)
    if folder not in sys.path:
        sys.path.append(folder)


_make_importable()
