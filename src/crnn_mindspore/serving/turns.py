"""Work that waits: clients take turns, and so do the requests of each; large pieces have a lane."""

import threading
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

Requests = dict[Hashable, deque[T]]

ANY, LARGE = 0, 1  # lanes: of pieces that are small or not looked at yet, and of large ones


class Turns(Generic[T]):
    """Pieces of work of several clients; in each lane clients take turns, and the requests of each client."""

    def __init__(self) -> None:
        # Lane -> client -> request -> pieces; clients and requests stand in the order of their turns.
        self._lanes: tuple[dict[str, Requests[T]], ...] = ({}, {})
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, client: str, request: Hashable, pieces: Sequence[T], lane: int = ANY) -> None:
        """Adds pieces of a request; one that is new goes behind the others of its client."""
        with self._changed:
            requests = self._lanes[lane].setdefault(client, {})
            requests.setdefault(request, deque()).extend(pieces)
            self._changed.notify_all()

    def take(self, lanes: Sequence[int] = (ANY,)) -> tuple[str, Hashable, T] | None:
        """The next piece with its client and request, of the first of these lanes that has one.

        Waits until there is one; None once closed, if there is none.
        """
        with self._changed:
            while True:
                for lane in lanes:
                    if self._lanes[lane]:
                        return _take(self._lanes[lane])
                if self._is_closed:
                    return None
                self._changed.wait()

    def drop(self, client: str, request: Hashable) -> list[T]:
        """Takes back what waits of a request."""
        with self._changed:
            dropped: list[T] = []
            for lane in self._lanes:
                requests = lane.get(client, {})
                dropped += requests.pop(request, ())
                if client in lane and not requests:
                    del lane[client]
            return dropped

    def displace(self, client: str, count: int) -> list[T]:
        """Takes back the largest request of whoever has most waiting, for a new one of fewer pieces.

        Args:
            client: Whose the new request is.
            count: Its pieces.

        Returns:
            The pieces taken back; none if the new request would not be the smaller one.
        """
        with self._changed:
            waiting: dict[str, dict[Hashable, int]] = {}
            for lane in self._lanes:
                for name, requests in lane.items():
                    counts = waiting.setdefault(name, {})
                    for request, pieces in requests.items():
                        counts[request] = counts.get(request, 0) + len(pieces)
            if not waiting:
                return []
            loads = {name: sum(counts.values()) for name, counts in waiting.items()}
            heaviest = max(loads, key=loads.__getitem__)
            largest = max(waiting[heaviest], key=waiting[heaviest].__getitem__)
            if heaviest == client:
                yields = waiting[heaviest][largest] > count
            else:
                yields = loads[heaviest] > loads.get(client, 0) + count
            return self.drop(heaviest, largest) if yields else []

    def close(self) -> None:
        """No more is put, but into another lane."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _take(clients: dict[str, Requests[T]]) -> tuple[str, Hashable, T]:
    client = next(iter(clients))
    requests = clients.pop(client)
    request = next(iter(requests))
    pieces = requests.pop(request)
    piece = pieces.popleft()
    if pieces:
        requests[request] = pieces
    if requests:
        clients[client] = requests
    return client, request, piece
