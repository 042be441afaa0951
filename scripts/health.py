"""Asks the service of this container whether it is ready; the status is 0 if it is.

The address is that of the process that serves, whatever its command says.
"""

import ipaddress
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

SECONDS = 4


def main(proc: Path = Path("/proc")) -> int:
    """Asks each service that runs here; 1 if there is none, or one does not answer."""
    addresses = [address for command in commands(proc) if (address := address_of(command))]
    for address in addresses:
        with urllib.request.urlopen(f"http://{address}/health", timeout=SECONDS):
            pass
    return 0 if addresses else 1


def commands(proc: Path) -> list[list[str]]:
    """The words of the command of each process that may be seen."""
    found = []
    for file in proc.glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_text(encoding="utf-8", errors="replace").split("\0"))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


def address_of(command: Sequence[str]) -> str:
    """Where a process serves, empty if it does not; of an option given twice the last counts."""
    if not any(path.endswith("src/__main__.py") for path in command[:4]) or "serve" not in command[:5]:
        return ""
    given = {"--host": "127.0.0.1", "--port": "8000"}
    for word, following in zip(command, [*command[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in given:
            given[name] = value if equals else following
    host = given["--host"]
    try:
        if ipaddress.ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
    except ValueError:
        pass  # a name
    return f"[{host}]:{given['--port']}" if ":" in host else f"{host}:{given['--port']}"


if __name__ == "__main__":
    sys.exit(main())
