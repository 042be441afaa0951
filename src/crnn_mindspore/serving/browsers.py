"""Which requests a browser may make here on behalf of a page: those of the service's own pages."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from crnn_mindspore.errors import UserError
from crnn_mindspore.serving.framing import Refusal

_SAFE = ("GET", "HEAD", "OPTIONS")
_ANY = "*"
_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]*)(?::\d*)?")


class BrowserRules:
    """Refuses what a foreign page makes a browser do, and names that a service does not go by.

    Programs are not concerned: they send no Origin, and no Host of a foreign page. The rule for pages is that
    of Go's `http.CrossOriginProtection`: Sec-Fetch-Site where the browser sends it, else Origin against Host.

    Args:
        allowed_hosts: Names by which the service is called, without port; `*.example.com` holds for all
            below, `*` for all. Where it is empty any will do, unless `bound_to` is a loopback address.
        bound_to: The address that the service listens at.

    Raises:
        UserError: If a name cannot be one.

    Source: RFC 9110, sections 7.2 and 15.5.20; https://www.w3.org/TR/fetch-metadata/
    """

    def __init__(self, allowed_hosts: Iterable[str] = (), bound_to: str = "") -> None:
        self._allowed = {name.strip().lower().rstrip(".") for name in allowed_hosts if name.strip()}
        for name in self._allowed - {_ANY}:
            if not _NAME.fullmatch(name):
                raise UserError(
                    f"allowed_hosts: {name!r} is not a host's name, as words.example.com, no port, no path"
                )
        self._asks_for_names = bool(self._allowed) or _is_loopback(bound_to)
        self._own = {bound_to.lower(), f"[{bound_to.lower()}]"}

    def refusal(self, method: str, headers: Headers) -> Refusal | None:
        """Why a request is refused; None if it is not."""
        hosts = headers.getlist("host")
        if len(hosts) > 1:
            return Refusal(400, "the request has several Host headers")
        host = hosts[0] if hosts else ""
        if host and self._asks_for_names and not self._goes_by(host):
            return Refusal(
                421,
                f"this service does not go by the name {_shown(host)}; name it in --allowed_hosts",
            )
        if method in _SAFE or self._is_own_page(headers, host):
            return None
        return Refusal(403, "a page of another origin may not send images; name it in --allowed_hosts")

    def _goes_by(self, authority: str) -> bool:
        name = _host_of(authority)
        return name is not None and (_is_loopback(name) or name in self._own or self._is_allowed(name))

    def _is_allowed(self, name: str) -> bool:
        parents = name.split(".")
        return bool(
            self._allowed & {_ANY, name, *(f"*.{'.'.join(parents[i:])}" for i in range(1, len(parents)))}
        )

    def _is_own_page(self, headers: Headers, host: str) -> bool:
        if site := headers.get("sec-fetch-site"):
            if site in ("same-origin", "none"):
                return True
        elif "origin" not in headers:
            return True
        origin = _authority_of(headers.get("origin", ""))
        name = _host_of(origin)
        if not origin or name is None:
            return False
        if self._allowed - {_ANY} and self._is_allowed(name):
            return True
        # No page can set these headers in a request to another origin without asking first. A proxy sets the
        # latter where it passes on another Host.
        return not site and origin.lower() in (host.lower(), headers.get("x-forwarded-host", "").lower())


def _authority_of(origin: str) -> str:
    """Host and port of an origin, empty if it has none, as "null" has."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _host_of(authority: str) -> str | None:
    """The host of `host:port` in lower case; None if it is none."""
    match = _AUTHORITY.fullmatch(authority.strip())
    return match[1].lower().rstrip(".") if match and match[1] else None


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    return ascii(text[:100])
