"""Predicts images a second of data-parallel training on many devices, and what would limit it.

    python benchmarks/scale.py [--one_process 4.493] [--two_processes 4.972] > benchmarks/scale.md

A step is the computation of one device and then an all-reduce of all gradients, a ring inside each server
and a ring over the servers, not overlapped. Step times of accelerators are the model zoo's, of CPU cores
measured by benchmarks/data_parallel.py; speeds of links and file systems are published ones. Nothing here
was run on an accelerator.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import markdown_table

BATCH_SIZE = 64  # images of a device and step
DEVICES = (1, 8, 64, 256)
LOADER_RATE = (
    13_729  # images/s of one process with the default two workers, MJSynth files; benchmarks/README.md
)
IMAGE_BYTES = 2_500  # of a JPEG of MJSynth
MJSYNTH_IMAGES = 8_919_273


@dataclass(frozen=True)
class Link:
    """A connection: bytes a second in one direction, and seconds that each step of a ring takes besides."""

    bytes_per_second: float
    latency: float


@dataclass(frozen=True)
class Cluster:
    """Servers of equal devices, and a step time that is known.

    `known_seconds` is of a step on `known_devices`, its all-reduce included. The traffic between servers is
    shared by `links_between` links of each.
    """

    name: str
    model_version: str
    known_seconds: float
    known_devices: int
    inside: Link
    between: Link
    links_between: int
    devices_per_server: int = 8


@dataclass(frozen=True)
class Storage:
    """A file system: bytes and requests a second."""

    name: str
    bytes_per_second: float
    requests_per_second: float


@dataclass(frozen=True)
class Prediction:
    """Seconds of a step's computation and all-reduce, images a second, and what limits these."""

    devices: int
    computation: float
    all_reduce: float
    images_per_second: float
    limit: str


# Of a step of a ring. HCCL publishes none: those of NCCL stand in for them, HCCS taken as slow as PCIe.
NVLINK_LATENCY, PCIE_LATENCY, NETWORK_LATENCY = 3.4e-6, 5.7e-6, 14e-6
ETHERNET_100G = Link(100e9 / 8, NETWORK_LATENCY)
HCCS = Link(30e9, PCIE_LATENCY)
NVLINK_V100 = Link(6 * 25e9, NVLINK_LATENCY)
ASCEND = Cluster("Ascend 910, V1", "V1", 0.118, 8, HCCS, ETHERNET_100G, links_between=8)
V100 = Cluster("V100, V2", "V2", 0.036, 8, NVLINK_V100, ETHERNET_100G, links_between=1)
FILE_SYSTEMS = (
    Storage("SFS Turbo Performance", 350e6, 20e3),
    Storage("SFS Turbo 250 MB/s/TiB, at its largest", 20e9, 1e6),
)
LAYOUTS = {"MJSynth files": 3, "LMDB": 1}  # requests an image: open, read, close; one page


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the page; 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--one_process", type=float, default=4.493, help="measured: s a step of 64 images, V2"
    )
    parser.add_argument(
        "--two_processes", type=float, default=4.972, help="measured: the same in two processes"
    )
    args = parser.parse_args(argv)
    if not 0 < args.one_process < args.two_processes:
        parser.error("--one_process must be above 0 and below --two_processes")
    print(page(args.one_process, args.two_processes, {v: gradient_bytes(v) for v in ("V1", "V2")}))
    return 0


def gradient_bytes(version: str) -> int:
    """Bytes that each device sends into an all-reduce: one float32 for every trained parameter."""
    from crnn_mindspore.networks.crnn import CRNN

    return 4 * sum(parameter.size for parameter in CRNN(37, 256, version).trainable_params())


def ring_seconds(members: int, size: float, link: Link) -> float:
    """Seconds of a ring all-reduce: 2 (n - 1) steps, each of which sends one n-th of the data.

    Source: https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md, "AllReduce".

    Args:
        members: Of the ring.
        size: Bytes that each holds.
        link: Between neighbours.
    """
    steps = 2 * (members - 1)
    return steps * (size / members / link.bytes_per_second + link.latency)


def all_reduce_seconds(cluster: Cluster, devices: int, size: float) -> float:
    """Seconds of the all-reduce over all devices: rings inside the servers, then over the servers.

    Args:
        cluster: Whose links carry it.
        devices: At most one server's, or a multiple of that.
        size: Bytes of the gradients.
    """
    inside = min(devices, cluster.devices_per_server)
    servers = devices // inside
    if servers * inside != devices:
        raise ValueError(f"{devices} devices do not fill servers of {inside}")
    share = size / cluster.links_between
    return ring_seconds(inside, size, cluster.inside) + ring_seconds(servers, share, cluster.between)


def predict(cluster: Cluster, devices: int, size: float, storage_rate: float) -> Prediction:
    """What a training on so many devices would reach, each with a batch of 64 and a process of its own.

    Args:
        cluster: The devices.
        devices: How many.
        size: Bytes of the gradients.
        storage_rate: Images a second that the file system gives.
    """
    computation = cluster.known_seconds - all_reduce_seconds(cluster, cluster.known_devices, size)
    all_reduce = all_reduce_seconds(cluster, devices, size)
    rates = {
        "network" if all_reduce > computation else "computation": devices
        * BATCH_SIZE
        / (computation + all_reduce),
        "loader": devices * LOADER_RATE,
        "file system": storage_rate,
    }
    limit = min(rates, key=lambda name: rates[name])
    return Prediction(devices, computation, all_reduce, rates[limit], limit)


def network_share(prediction: Prediction) -> float:
    """The part of a step, 0 to 1, that the all-reduce takes."""
    return prediction.all_reduce / (prediction.computation + prediction.all_reduce)


def storage_images_per_second(storage: Storage, requests: int) -> float:
    """Images a second of a file system, when none is in the servers' memory yet.

    Args:
        storage: The file system.
        requests: That an image takes.
    """
    return min(storage.bytes_per_second / IMAGE_BYTES, storage.requests_per_second / requests)


def measured_cluster(one_process: float, two_processes: float, size: float) -> Cluster:
    """CPU cores, with the link speed at which two processes take as much longer than one as was measured.

    Args:
        one_process: Seconds of a step of 64 images on one core.
        two_processes: Seconds when two processes share the core and the images.
        size: Bytes of the gradients.
    """
    link = Link(size / (two_processes - one_process), 0.0)
    return Cluster("CPU cores, V2", "V2", one_process, 1, link, link, links_between=1)


def page(one_process: float, two_processes: float, sizes: dict[str, int]) -> str:
    """The page, as Markdown.

    Args:
        one_process: Seconds of a step, measured.
        two_processes: Seconds of the same in two processes, measured.
        sizes: Bytes of the gradients of V1 and V2.
    """
    cpu = measured_cluster(one_process, two_processes, sizes["V2"])
    largest = storage_images_per_second(FILE_SYSTEMS[-1], LAYOUTS["MJSynth files"])
    found = {
        cluster.name: [predict(cluster, n, sizes[cluster.model_version], largest) for n in DEVICES]
        for cluster in (ASCEND, V100, cpu)
    }
    rates = {name: predictions[0].images_per_second for name, predictions in found.items()}
    return _TEXT.format(
        v1=sizes["V1"] / 1e6,
        v2=sizes["V2"] / 1e6,
        loader=LOADER_RATE,
        image_bytes=IMAGE_BYTES,
        measured=_measured_table(one_process, two_processes, cpu),
        predicted=_predicted_table(found),
        storage=_storage_table(rates),
        ascend=network_share(found[ASCEND.name][-1]),
        v100=network_share(found[V100.name][-1]),
        spare_ascend=LOADER_RATE / rates[ASCEND.name],
        spare_v100=LOADER_RATE / rates[V100.name],
        gigabytes=MJSYNTH_IMAGES * IMAGE_BYTES / 1e9,
    )


def _measured_table(one_process: float, two_processes: float, cpu: Cluster) -> str:
    rows = [
        [str(n), str(BATCH_SIZE // n), f"{seconds:.3f}", f"{BATCH_SIZE / seconds:.1f}"]
        for n, seconds in ((1, one_process), (2, two_processes))
    ]
    table = markdown_table(["processes on one core", "batch of each", "s a step", "images/s"], rows)
    return f"{table}\n\nThe exchange moves {cpu.inside.bytes_per_second / 1e6:.0f} MB/s here."


def _predicted_table(found: dict[str, list[Prediction]]) -> str:
    rows = [
        [
            name,
            f"{p.devices:,}",
            f"{(p.computation + p.all_reduce) * 1e3:,.1f}",
            f"{p.all_reduce * 1e3:,.1f}",
            f"{network_share(p):.0%}",
            f"{p.images_per_second:,.0f}",
            p.limit,
        ]
        for name, predictions in found.items()
        for p in predictions
    ]
    header = ["devices", "how many", "step, ms", "of it all-reduce", "share", "images/s", "limit"]
    return markdown_table(header, rows)


def _storage_table(rates: dict[str, float]) -> str:
    """Images a second of each file system and layout, and how many devices of which rate these feed."""
    names = [ASCEND.name, V100.name]
    rows = []
    for storage in FILE_SYSTEMS:
        for layout, requests in LAYOUTS.items():
            rate = storage_images_per_second(storage, requests)
            feeds = [f"{rate / rates[name]:,.0f}" for name in names]
            rows.append([storage.name, layout, f"{rate:,.0f}", *feeds])
    return markdown_table(["file system", "layout", "images/s", *(f"feeds {name}" for name in names)], rows)


_TEXT = """# Many devices, on paper

Made by `python benchmarks/scale.py > benchmarks/scale.md`. **Predicted, not measured**, but for the first
table; no accelerator was at hand. Batch 64 a device. Gradients, float32: V1 {v1:.1f} MB, V2 {v2:.1f} MB.

Measured (`benchmarks/data_parallel.py`: V2 at full width, MindSpore's collectives for CPUs over the
loopback device):

{measured}

Predicted, reading from the largest of the file systems below:

{predicted}

What a file system gives while the images are not in memory yet ({image_bytes:,} bytes each):

{storage}

Ascend 910 computes for so long, and moves so little, that up to 256 devices computation stays the limit:
the all-reduce takes {ascend:.0%} of a step there. V100 servers with one 100 Gbit/s port each lose
{v100:.0%} on 256 devices, and there the file system becomes the limit first, as long as single files come
from it. The loader gives {loader:,} images a second a process, {spare_ascend:.0f} times what an Ascend 910
takes and {spare_v100:.0f} times what a V100 takes; it limits only devices faster by that factor, or servers
with less than a free core a device. A small file system is too slow for single files from a few devices on,
and an LMDB gives three times as much; but MJSynth has {gigabytes:.0f} GB and stays in the memory of a
server, so this concerns the first epoch. The CPU rows carry on the measured speed of the exchange, and show
what a slow network does.

How a step is computed: one device's computation, then a ring all-reduce, which sends 2 (n - 1) / n times
the gradients over a link in 2 (n - 1) steps with a latency each, inside each server of eight, then over the
servers. Nothing overlaps, so real trainings may do better; stragglers are left out, so they may do worse.
What batches of 16,384 images do to the accuracy is another question.

Where the numbers come from:

- Step times: the model zoo's README, 118 ms on eight Ascend 910 (V1) and 36 ms on eight V100 (V2); the
  computation is what the model's all-reduce leaves of them. The total times given there, 557 and 189
  minutes for 141,100 steps, would be 237 and 80 ms a step; evaluation, saving and waiting for data may be
  in those. https://github.com/mindspore-ai/models/blob/master/official/cv/CRNN/README.md
- HCCS 30 GB/s a link, PCIe 4.0 32 GB/s, RoCE 100 Gbit/s: Zhou et al., "Accelerating Model Training on
  Ascend Chips", USENIX ATC 2025, appendix A. A server's eight Ascend 910 are two groups of four with HCCS
  inside, and PCIe
  (https://support.huaweicloud.com/intl/en-us/drawer-cce/Cluster_cce-gpu-topology-predicate.html): the ring
  runs at the slower of the two. Each has its own RoCE port.
- NVLink of V100: six links of 25 GB/s a direction (NVIDIA, "DGX-1 With Tesla V100 System Architecture").
  One 100 Gbit/s port a server is our assumption.
- Ring all-reduce: https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md. HCCL has rings too,
  and between a power of two of servers halving-doubling, which moves as much in fewer steps:
  https://www.hiascend.com/document/detail/en/canncommercial/850/commlib/hcclug/hcclug_000114.html
- Latencies: 3.4 us NVLink, 5.7 us PCIe, 14 us network, NCCL's own for rings (src/graph/tuning.cc); taken
  for HCCL too, which publishes none.
- File systems: https://support.huaweicloud.com/intl/en-us/productdesc-sfsturbo/sfsturbo_01_0005.html. Three
  requests for a file (open, read, close) and one for an image in an LMDB are our assumption.
- Loader: `benchmarks/loader.py`, in [README.md](README.md)."""


if __name__ == "__main__":
    sys.exit(main())
