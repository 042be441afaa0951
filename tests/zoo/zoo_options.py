"""`config` as a script of the model zoo gets it, for a command line that a test names."""

import sys

from src.model_utils.config import Config, get_config


def options(*arguments: str) -> Config:
    before = sys.argv
    sys.argv = ["script.py", "--device_target=CPU", *arguments]
    try:
        return get_config()
    finally:
        sys.argv = before
