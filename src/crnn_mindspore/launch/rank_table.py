"""Rank tables of Ascend servers, version 1.0: read with every check, found in, made from device addresses.

Source: MindSpore, "rank table Startup",
https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/rank_table.html
"""

import ipaddress
import json
import re
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import load_json
from crnn_mindspore.shown import shortened

VERSION = "1.0"


@dataclass(frozen=True)
class Device:
    """One device: its number on its server, its own network address, and the rank that computes on it."""

    device_id: int
    device_ip: str
    rank_id: int


@dataclass(frozen=True)
class Server:
    """One server, by its address, with its devices in the order of the table."""

    server_id: str
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class RankTable:
    """All servers of a training."""

    servers: tuple[Server, ...]

    @property
    def rank_size(self) -> int:
        """Devices of all servers."""
        return sum(len(server.devices) for server in self.servers)

    def to_json(self) -> str:
        """The table as HCCL reads it: every number is a string."""
        servers = [
            {
                "server_id": server.server_id,
                "device": [{name: str(value) for name, value in vars(d).items()} for d in server.devices],
                "host_nic_ip": "reserve",
            }
            for server in self.servers
        ]
        table = {
            "version": VERSION,
            "server_count": str(len(servers)),
            "server_list": servers,
            "status": "completed",
        }
        return json.dumps(table, indent=4) + "\n"


def read_rank_table(path: str) -> RankTable:
    """Reads and checks a rank table.

    Raises:
        UserError: If the file cannot be read, is no JSON, lacks a field, or names a device, an address, a
            server or a rank twice; if `server_count` is not the number of servers, or the ranks are not
            0, 1, 2, ... The message names the file, the field and the value.
    """
    try:
        values = load_json(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path}: no JSON file: {shortened(str(error))}") from None
    try:
        return _parse_table(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _parse_table(values: Any) -> RankTable:
    version = _field(values, "version", "", str)
    if version != VERSION:
        raise UserError(f"version is {shortened(repr(version))}, must be {VERSION!r}")
    status = _field(values, "status", "", str)
    if status != "completed":
        raise UserError(f"status is {shortened(repr(status))}, must be 'completed'")
    listed = _field(values, "server_list", "", list)
    count = _number(values, "server_count", "")
    if count != len(listed):
        raise UserError(f"server_count is {count}, but server_list holds {len(listed)}")
    table = RankTable(tuple(_parse_server(value, f"server_list[{i}]") for i, value in enumerate(listed)))
    check_table(table)
    return table


def _parse_server(values: Any, place: str) -> Server:
    listed = _field(values, "device", place, list)
    devices = []
    for i, value in enumerate(listed):
        here = f"{place}.device[{i}]"
        devices.append(
            Device(
                _number(value, "device_id", here),
                _field(value, "device_ip", here, str),
                _number(value, "rank_id", here),
            )
        )
    return Server(_field(values, "server_id", place, str), tuple(devices))


def _field(values: Any, name: str, place: str, kind: type) -> Any:
    where = f"{place}.{name}" if place else name
    if not isinstance(values, Mapping) or name not in values:
        raise UserError(f"{where} is missing")
    if not isinstance(values[name], kind) or not values[name]:
        expected = "a list with something in it" if kind is list else "a text"
        raise UserError(f"{where} is {shortened(repr(values[name]))}, must be {expected}")
    return values[name]


def _number(values: Any, name: str, place: str) -> int:
    where = f"{place}.{name}" if place else name
    if not isinstance(values, Mapping) or name not in values:
        raise UserError(f"{where} is missing")
    if not re.fullmatch(r"[0-9]{1,9}", str(values[name])):
        raise UserError(
            f"{where} is {shortened(repr(values[name]))}, must be a whole number of up to 9 digits"
        )
    return int(values[name])


def check_table(table: RankTable) -> None:
    """Checks what must hold over all servers.

    Raises:
        UserError: See `read_rank_table`.
    """
    if not table.servers:
        raise UserError("server_list is empty")
    _check_once("server_id", [server.server_id for server in table.servers])
    for server in table.servers:
        if not server.devices:
            raise UserError(f"server {server.server_id} has no device")
        _check_once(f"server {server.server_id}: device_id", [d.device_id for d in server.devices])
    devices = [device for server in table.servers for device in server.devices]
    for device in devices:
        try:
            ipaddress.ip_address(device.device_ip)
        except ValueError:
            raise UserError(f"device_ip {shortened(repr(device.device_ip))} is no address") from None
    _check_once("device_ip", [device.device_ip for device in devices])
    ranks = [device.rank_id for device in devices]
    _check_once("rank_id", ranks)
    if sorted(ranks) != list(range(len(ranks))):
        raise UserError(
            f"rank_id must be 0 to {len(ranks) - 1} for {len(ranks)} devices, not {sorted(ranks)}"
        )


def _check_once(name: str, values: Sequence[object]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise UserError(f"{name} {shortened(str(value))} comes {count} times")


def find_server(table: RankTable, server_id: str = "") -> Server:
    """This server in a table.

    Args:
        table: The table.
        server_id: Which one it is; "" finds it by its own addresses. A table of one server needs neither.

    Raises:
        UserError: If none, or more than one, is this server.
    """
    names = ", ".join(server.server_id for server in table.servers)
    if server_id:
        found = [server for server in table.servers if server.server_id == server_id]
        if not found:
            raise UserError(f"SERVER_ID {server_id} is not in the rank table, which holds {names}")
        return found[0]
    if len(table.servers) == 1:
        return table.servers[0]
    found = [server for server in table.servers if is_own_address(server.server_id)]
    if len(found) != 1:
        raise UserError(
            f"{len(found)} servers of the rank table have an address of this machine, must be 1; say which "
            f"one it is with SERVER_ID, one of {names}"
        )
    return found[0]


def is_own_address(address: str) -> bool:
    """Whether a network address belongs to this machine."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))  # the system refuses any address but its own
    except OSError:
        return False
    return True


def create_rank_table(
    server_ids: Sequence[str], device_ids: Sequence[int], device_ips: Sequence[Mapping[int, str]]
) -> RankTable:
    """A table in which every server has the same devices; ranks count through server by server.

    Args:
        server_ids: The address of each server.
        device_ids: The devices to use of each.
        device_ips: For each server, device -> its network address.

    Raises:
        UserError: If a device has no address, or for anything `check_table` finds.
    """
    servers = []
    for place, (server_id, addresses) in enumerate(zip(server_ids, device_ips, strict=True)):
        for device_id in device_ids:
            if device_id not in addresses:
                raise UserError(f"server {server_id}: no address for device {device_id}")
        first = place * len(device_ids)
        devices = [Device(d, addresses[d], first + i) for i, d in enumerate(device_ids)]
        servers.append(Server(server_id, tuple(devices)))
    table = RankTable(tuple(servers))
    check_table(table)
    return table


def read_hccn_conf(path: str) -> dict[int, str]:
    """Device -> network address, from the lines `address_DEVICE=ADDRESS` of an hccn.conf.

    Raises:
        UserError: If the file cannot be read or holds no such line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; give the addresses of the devices with --device_ips"
        ) from None
    lines = re.findall(r"^[ \t]*address_(\d{1,9})[ \t]*=[ \t]*(\S+)[ \t\r]*$", text, re.MULTILINE)
    if not lines:
        raise UserError(f"{path}: holds no line address_DEVICE=ADDRESS")
    return {int(device): address for device, address in lines}
