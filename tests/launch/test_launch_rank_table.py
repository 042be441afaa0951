"""Rank tables: what is read, each mistake with the field it is in, and tables made from addresses."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, assert_refused

from crnn_mindspore.cli import rank_table
from crnn_mindspore.errors import UserError
from crnn_mindspore.launch.rank_table import find_server, is_own_address, read_rank_table

# The example of https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/rank_table.html, its stars filled in.
DOCUMENTED = {
    "version": "1.0",
    "server_count": "1",
    "server_list": [
        {
            "server_id": "10.0.0.1",
            "device": [
                {"device_id": "0", "device_ip": "192.1.27.6", "rank_id": "0"},
                {"device_id": "1", "device_ip": "192.2.27.6", "rank_id": "1"},
            ],
            "host_nic_ip": "reserve",
        }
    ],
    "status": "completed",
}


def write(path: Path, table: Any) -> str:
    path.write_text(json.dumps(table), encoding="utf-8")
    return str(path)


def two_servers() -> dict:
    table = json.loads(json.dumps(DOCUMENTED))
    second = json.loads(json.dumps(table["server_list"][0]).replace("192.", "193."))
    second["server_id"] = "10.0.0.2"
    for device, rank in zip(second["device"], ("2", "3"), strict=True):
        device["rank_id"] = rank
    table["server_list"].append(second)
    return table | {"server_count": "2"}


def test_the_documented_table_is_read(tmp_path: Path) -> None:
    table = read_rank_table(write(tmp_path / "rank.json", DOCUMENTED))
    assert table.rank_size == 2
    (server,) = table.servers
    assert server.server_id == "10.0.0.1"
    assert [(d.device_id, d.device_ip, d.rank_id) for d in server.devices] == [
        (0, "192.1.27.6", 0),
        (1, "192.2.27.6", 1),
    ]
    assert json.loads(table.to_json()) == DOCUMENTED


def test_numbers_may_be_written_as_numbers(tmp_path: Path) -> None:
    table = json.loads(json.dumps(DOCUMENTED))
    table["server_count"] = 1
    table["server_list"][0]["device"][1] |= {"device_id": 1, "rank_id": 1}
    assert read_rank_table(write(tmp_path / "rank.json", table)).servers[0].devices[1].rank_id == 1


DEVICE = "server_list[0].device[1]"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["version"], None, "version is missing"),
        (["version"], "0.1", "version is '0.1', must be '1.0'"),
        (["status"], None, "status is missing"),
        (["status"], "initializing", "status is 'initializing', must be 'completed'"),
        (["server_count"], None, "server_count is missing"),
        (["server_count"], "3", "server_count is 3, but server_list holds 2"),
        (["server_count"], "two", "server_count is 'two', must be a whole number"),
        (["server_list"], None, "server_list is missing"),
        (["server_list"], [], "server_list is [], must be a list with something in it"),
        (["server_list", 1, "server_id"], None, "server_list[1].server_id is missing"),
        (["server_list", 1, "server_id"], "10.0.0.1", "server_id 10.0.0.1 comes 2 times"),
        (["server_list", 0, "device"], None, "server_list[0].device is missing"),
        (["server_list", 0, "device"], {}, "server_list[0].device is {}, must be a list"),
        (["server_list", 0, "device", 1, "device_id"], None, f"{DEVICE}.device_id is missing"),
        (["server_list", 0, "device", 1, "device_id"], "-1", f"{DEVICE}.device_id is '-1', must be"),
        (["server_list", 0, "device", 1, "device_id"], "0", "server 10.0.0.1: device_id 0 comes 2 times"),
        (["server_list", 0, "device", 1, "device_ip"], None, f"{DEVICE}.device_ip is missing"),
        (["server_list", 0, "device", 1, "device_ip"], "192.2.27", "device_ip '192.2.27' is no address"),
        (["server_list", 0, "device", 1, "device_ip"], "193.1.27.6", "device_ip 193.1.27.6 comes 2 times"),
        (["server_list", 0, "device", 1, "rank_id"], None, f"{DEVICE}.rank_id is missing"),
        (["server_list", 0, "device", 1, "rank_id"], "3", "rank_id 3 comes 2 times"),
        (["server_list", 0, "device", 1, "rank_id"], "4", "must be 0 to 3 for 4 devices, not [0, 2, 3, 4]"),
    ],
)
def test_a_mistake_is_refused_with_its_file_and_field(
    tmp_path: Path, path: list, value: Any, message: str
) -> None:
    table = two_servers()
    parent = table
    for key in path[:-1]:
        parent = parent[key]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    file = write(tmp_path / "rank.json", table)
    with pytest.raises(UserError) as error:
        read_rank_table(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '"1.0"'])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rank.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"rank\.json: (no JSON file|version is missing)"):
        read_rank_table(str(file))


def test_this_server_is_found_by_its_address_or_by_name(tmp_path: Path) -> None:
    values = two_servers()
    values["server_list"][1]["server_id"] = "127.0.0.1"  # every machine's own
    table = read_rank_table(write(tmp_path / "rank.json", values))
    assert find_server(table) is table.servers[1]
    assert find_server(table, "10.0.0.1") is table.servers[0]
    with pytest.raises(UserError, match=r"SERVER_ID 10\.0\.0\.9 .* holds 10\.0\.0\.1, 127\.0\.0\.1"):
        find_server(table, "10.0.0.9")
    assert is_own_address("127.0.0.1")
    assert not is_own_address("198.51.100.1")  # RFC 5737: given to nobody


def test_a_server_that_is_not_this_one_is_only_taken_alone(tmp_path: Path) -> None:
    values = two_servers()
    for server, address in zip(values["server_list"], ("198.51.100.1", "198.51.100.2"), strict=True):
        server["server_id"] = address
    table = read_rank_table(write(tmp_path / "rank.json", values))
    with pytest.raises(UserError, match=r"SERVER_ID, one of 198\.51\.100\.1, 198\.51\.100\.2"):
        find_server(table)
    # In a container the server's address is not that of the machine.
    one = values | {"server_count": "1", "server_list": values["server_list"][:1]}
    alone = read_rank_table(write(tmp_path / "one.json", one))
    assert find_server(alone).server_id == "198.51.100.1"


def test_a_table_is_made_from_addresses(run_program: Run, tmp_path: Path) -> None:
    file = tmp_path / "rank.json"
    outcome = run_program(
        rank_table.main,
        "--devices=0,1",
        "--servers=10.0.0.1,10.0.0.2",
        "--device_ips=192.1.27.6,192.2.27.6,193.1.27.6,193.2.27.6",
        f"--output={file}",
    )
    assert outcome.status == 0, outcome
    assert json.loads(file.read_text()) == two_servers()
    assert read_rank_table(str(file)).rank_size == 4


def test_a_table_is_made_from_the_servers_files(run_program: Run, tmp_path: Path) -> None:
    files = []
    for server in (1, 2):
        files.append(tmp_path / f"{server}.conf")
        lines = "".join(f"address_{d}=192.168.{server}.{d}\nnetmask_{d}=255.255.255.0\n" for d in range(8))
        files[-1].write_text(lines)
    file = tmp_path / "rank.json"
    conf = ",".join(map(str, files))
    options = "--devices=2-3,5", "--servers=10.0.0.1,10.0.0.2", f"--hccn_conf={conf}", f"--output={file}"
    assert run_program(rank_table.main, *options).status == 0
    table = read_rank_table(str(file))
    assert [[(d.device_id, d.device_ip, d.rank_id) for d in s.devices] for s in table.servers] == [
        [(2, "192.168.1.2", 0), (3, "192.168.1.3", 1), (5, "192.168.1.5", 2)],
        [(2, "192.168.2.2", 3), (3, "192.168.2.3", 4), (5, "192.168.2.5", 5)],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--devices=0-x"], "--devices is '0-x', must be like 0-7 or 0,2,4"),
        (["--devices=3-1"], "--devices is '3-1'"),
        (["--devices=0,0", "--device_ips=1.1.1.1,1.1.1.2"], "server 10.0.0.1: device_id 0 comes 2 times"),
        (
            ["--devices=0-1", "--device_ips=1.1.1.1"],
            "names 1 addresses, but 1 server(s) with 2 devices need 2",
        ),
        (["--devices=0", "--device_ips=1.1.1"], "device_ip '1.1.1' is no address"),
        (["--devices=0", "--hccn_conf=gone.conf"], "gone.conf: No such file or directory"),
        (["--devices=0", "--hccn_conf=a,b"], "--hccn_conf names 2 file(s) for 1 servers"),
        (["--devices=0", "--device_ip=1.1.1.1"], "unknown option 'device_ip', did you mean 'device_ips'?"),
    ],
)
def test_a_wrong_argument_is_named(
    run_program: Run, tmp_path: Path, options: list[str], message: str
) -> None:
    file = tmp_path / "rank.json"
    outcome = run_program(rank_table.main, "--servers=10.0.0.1", f"--output={file}", *options)
    assert_refused(outcome, message)
    assert not file.exists()


def test_a_device_without_an_address_is_named(run_program: Run, tmp_path: Path) -> None:
    (tmp_path / "hccn.conf").write_bytes(b"# \xff\naddress_0=1.1.1.1\n")
    options = f"--hccn_conf={tmp_path / 'hccn.conf'}", f"--output={tmp_path / 'rank.json'}"
    outcome = run_program(rank_table.main, "--servers=10.0.0.1", "--devices=0-1", *options)
    assert_refused(outcome, "server 10.0.0.1: no address for device 1")
