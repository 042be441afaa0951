"""Makes the rank table of one or several Ascend servers from their devices and addresses.

    crnn rank-table --devices 0-7 --servers 10.0.0.1 --output rank_table.json
    crnn rank-table --devices 0,1 --servers 10.0.0.1,10.0.0.2 --hccn_conf first.conf,second.conf

The addresses of the devices come from --device_ips, or from /etc/hccn.conf, which each server has.
"""

import re
import socket
import sys
from collections.abc import Sequence

from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.launch.rank_table import RankTable, create_rank_table, read_hccn_conf
from crnn_mindspore.options.commands import RankTableOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.text_file import write_text


def main(argv: Sequence[str] | None = None, program: str = "crnn rank-table") -> int:
    """Writes the table; returns 0, or 2 for a mistake in the options."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _write(load_options(RankTableOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _write(options: RankTableOptions) -> int:
    servers = options.servers.split(",") if options.servers else [_own_address()]
    table = _create(servers, parse_devices(options.devices), options.device_ips, options.hccn_conf)
    write_text(options.output, table.to_json())
    print(f"{options.output}: {len(servers)} server(s), ranks 0 to {table.rank_size - 1}")
    return 0


def _create(servers: list[str], devices: list[int], device_ips: str, hccn_conf: str) -> RankTable:
    if device_ips:
        addresses = device_ips.split(",")
        if len(addresses) != len(servers) * len(devices):
            raise UserError(
                f"--device_ips names {len(addresses)} addresses, but {len(servers)} server(s) with "
                f"{len(devices)} devices need {len(servers) * len(devices)}"
            )
        count = len(devices)
        by_server = [
            dict(zip(devices, addresses[i * count : (i + 1) * count], strict=True))
            for i in range(len(servers))
        ]
        return create_rank_table(servers, devices, by_server)
    files = hccn_conf.split(",")
    if len(files) != len(servers):
        raise UserError(
            f"--hccn_conf names {len(files)} file(s) for {len(servers)} servers; give the file of each "
            "server, or --device_ips"
        )
    return create_rank_table(servers, devices, [read_hccn_conf(file) for file in files])


def parse_devices(text: str) -> list[int]:
    """Device numbers from "0-3,6": 0, 1, 2, 3, 6.

    Raises:
        UserError: If it is anything else.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UserError(f"--devices is {text!r}, must be like 0-7 or 0,2,4")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return numbers


def _own_address() -> str:
    """The address that other machines see: that of the way out, for which nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("198.51.100.1", 9))  # an address for documentation: RFC 5737
            return str(probe.getsockname()[0])
    except OSError:
        raise UserError("--servers: this machine's address cannot be found, give it") from None
