"""Version numbers that can be compared."""

import re


def version_tuple(version: str) -> tuple[int, int]:
    """(major, minor) as numbers: "2.10.0rc1" -> (2, 10), so that 2.10 is above 2.3."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        raise ValueError(f"not a version: {version!r}")
    return int(numbers[1]), int(numbers[2])
