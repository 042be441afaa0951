"""Which `pip install` brings a package that is missing."""

from importlib.util import find_spec

from crnn_mindspore.shipped import checkout

# Package -> the extra of pyproject.toml that brings it.
EXTRAS = {
    "mindspore": "train",
    "ml_dtypes": "train",
    "scipy": "train",
    "wordfreq": "train",
    "fastapi": "serve",
    "fastapi_offline": "serve",
    "httptools": "serve",
    "multipart": "serve",
    "prometheus_client": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "tensorboardX": "tensorboard",
}


def require(package: str) -> None:
    """Raises ModuleNotFoundError if a package is missing: before the work that needs it at its end."""
    if find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def missing_message(module: str) -> str:
    """What to say where a module cannot be imported: the package, and the command that installs it."""
    package = module.split(".", maxsplit=1)[0]
    wanted = package
    if package in EXTRAS:
        place = checkout()
        wanted = f"'{place or 'crnn-mindspore'}[{EXTRAS[package]}]'"
    return f"needs the package {package}, which is not installed: pip install {wanted}"
