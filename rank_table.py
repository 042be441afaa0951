"""Makes the rank table of one or several Ascend servers from their devices and addresses.

    python rank_table.py --devices 0-7 --servers 10.0.0.1 --output rank_table.json
    python rank_table.py --devices 0,1 --servers 10.0.0.1,10.0.0.2 --hccn_conf first.conf,second.conf

The addresses of the devices come from --device_ips, or from /etc/hccn.conf, which each server has.
"""

import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from src.errors import UserError
from src.launch.rank_table import RankTable, create_rank_table, read_hccn_conf
from src.model_utils.command import OptionParser, run_command

HCCN_CONF = "/etc/hccn.conf"


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the table; returns 0, or 2 for a mistake in the arguments."""
    parser = OptionParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", required=True, help="devices of each server: 0-7 or 0,2,4")
    parser.add_argument(
        "--servers", default="", help="addresses of the servers, comma between; default: this one's"
    )
    parser.add_argument(
        "--device_ips",
        default="",
        help="network address of every device, comma between, server by server in the order of --devices",
    )
    parser.add_argument(
        "--hccn_conf",
        default=HCCN_CONF,
        help=f"file with the addresses, one for each server, comma between; default {HCCN_CONF}",
    )
    parser.add_argument("--output", default="rank_table.json", help="file to write")
    args = parser.parse_args(argv)

    def command() -> int:
        servers = args.servers.split(",") if args.servers else [_own_address()]
        table = _create(servers, parse_devices(args.devices), args.device_ips, args.hccn_conf)
        try:
            Path(args.output).write_text(table.to_json(), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{args.output}: {error.strerror}") from None
        print(f"{args.output}: {len(servers)} server(s), ranks 0 to {table.rank_size - 1}")
        return 0

    return run_command(command)


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


if __name__ == "__main__":
    sys.exit(main())
