"""The model of training on many devices: its arithmetic, against a ring carried out and sums made by hand."""

from pathlib import Path

import pytest
from reference import random_weights

from benchmarks import scale
from benchmarks.scale import Cluster, Link, Storage

ROOT = Path(__file__).resolve().parents[2]
SLOW = Link(bytes_per_second=100.0, latency=0.5)
FAST = Link(bytes_per_second=1000.0, latency=0.25)
PAIR = Cluster("pairs", "V2", 10.0, 1, FAST, SLOW, links_between=1, devices_per_server=2)


def seconds_of_a_ring(members: int, size: float, link: Link) -> float:
    """Carries the ring out: numbers move on until all members hold the sum; each move takes its time."""
    parts = [[float(member + 1)] * members for member in range(members)]
    seconds = 0.0
    for step in range(2 * (members - 1)):
        moved = [(member, (member - step) % members) for member in range(members)]
        values = [parts[member][part] for member, part in moved]
        for (member, part), value in zip(moved, values, strict=True):
            receiver = (member + 1) % members
            parts[receiver][part] = value + (parts[receiver][part] if step < members - 1 else 0)
        seconds += link.latency + size / members / link.bytes_per_second
    assert parts == [[members * (members + 1) / 2] * members] * members
    return seconds


@pytest.mark.parametrize("members", [1, 2, 3, 8])
def test_a_ring_takes_as_long_as_its_moves(members: int) -> None:
    assert scale.ring_seconds(members, 720, SLOW) == pytest.approx(seconds_of_a_ring(members, 720, SLOW))


def test_large_gradients_take_nearly_twice_their_size_over_the_link() -> None:
    link = Link(bytes_per_second=1e9, latency=0.0)
    assert scale.ring_seconds(1000, 5e9, link) == pytest.approx(2 * 0.999 * 5)


def test_rings_run_inside_the_servers_and_then_over_them() -> None:
    # One server of two: 2 moves of 100 bytes. Four servers: 6 moves of 50 bytes besides.
    inside = 2 * (100 / 1000 + 0.25)
    assert scale.all_reduce_seconds(PAIR, 1, 200) == 0
    assert scale.all_reduce_seconds(PAIR, 2, 200) == pytest.approx(inside)
    assert scale.all_reduce_seconds(PAIR, 8, 200) == pytest.approx(inside + 6 * (50 / 100 + 0.5))


def test_several_links_share_the_traffic_between_servers() -> None:
    both = Cluster("pairs", "V2", 10.0, 1, FAST, SLOW, links_between=2, devices_per_server=2)
    expected = 2 * (100 / 1000 + 0.25) + 6 * (25 / 100 + 0.5)
    assert scale.all_reduce_seconds(both, 8, 200) == pytest.approx(expected)


def test_devices_must_fill_the_servers() -> None:
    with pytest.raises(ValueError, match="3 devices do not fill servers of 2"):
        scale.all_reduce_seconds(PAIR, 3, 200)


def test_a_known_step_is_predicted_as_it_is() -> None:
    known = Cluster("pairs", "V2", 10.0, 8, FAST, SLOW, links_between=1, devices_per_server=2)
    eight = scale.predict(known, 8, 200, storage_rate=1e9)
    assert eight.computation + eight.all_reduce == pytest.approx(10.0)
    assert eight.images_per_second == pytest.approx(8 * 64 / 10.0)
    one = scale.predict(known, 1, 200, storage_rate=1e9)
    assert one.images_per_second == pytest.approx(64 / (10.0 - eight.all_reduce))
    assert scale.network_share(one) == 0
    assert scale.network_share(eight) == pytest.approx(eight.all_reduce / 10.0)


@pytest.mark.parametrize(
    ("seconds", "size", "storage_rate", "limit", "rate"),
    [
        (10.0, 200, 1e9, "computation", 8 * 64 / (10 + 0.7 + 6.0)),
        (10.0, 2000, 1e9, "network", 8 * 64 / (10 + 2.5 + 33.0)),
        (10.0, 200, 7, "file system", 7),
        (1e-6, 0, 1e9, "loader", 8 * scale.LOADER_RATE),
    ],
)
def test_the_slowest_part_is_the_limit(
    seconds: float, size: float, storage_rate: float, limit: str, rate: float
) -> None:
    link = SLOW if size else Link(1.0, 0.0)
    cluster = Cluster("pairs", "V2", seconds, 1, FAST if size else link, link, 1, devices_per_server=2)
    found = scale.predict(cluster, 8, size, storage_rate)
    assert (found.limit, found.images_per_second) == (limit, pytest.approx(rate))


def test_a_file_system_is_limited_by_bytes_or_by_requests() -> None:
    assert scale.storage_images_per_second(Storage("a", 2500 * 40, 1000), 3) == 40
    assert scale.storage_images_per_second(Storage("a", 2500 * 4000, 1000), 4) == 250


def test_the_measured_exchange_is_given_back() -> None:
    cpu = scale.measured_cluster(4.0, 4.5, 33e6)
    two = scale.predict(cpu, 2, 33e6, storage_rate=1e9)
    assert two.computation + two.all_reduce == pytest.approx(4.5)


@pytest.fixture(scope="module")
def sizes() -> dict[str, int]:
    return {version: scale.gradient_bytes(version) for version in ("V1", "V2")}


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_gradients_are_a_float_for_every_trained_parameter(sizes: dict[str, int], version: str) -> None:
    weights = random_weights(37, 256, [64, 128, 256, 256, 512, 512, 512], version)
    assert sizes[version] == sum(a.nbytes for name, a in weights.items() if ".moving_" not in name)


def test_the_page_is_what_the_program_writes(
    capsys: pytest.CaptureFixture[str], sizes: dict[str, int]
) -> None:
    text = (ROOT / "benchmarks" / "scale.md").read_text(encoding="utf-8")
    seconds = [float(line.split("|")[3]) for line in text.splitlines() if line.startswith(("| 1 |", "| 2 |"))]
    assert scale.page(*seconds, sizes) + "\n" == text
    with pytest.raises(SystemExit):
        scale.main(["--one_process=2", "--two_processes=1"])
    assert "--one_process must be above 0 and below --two_processes" in capsys.readouterr().err
