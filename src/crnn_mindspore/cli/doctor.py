"""Looks whether this machine can train and read: versions, devices, one step on the device, memory, disk.

The exit status is 1 if something will not work; each such line ends with what mends it.
"""

import sys
from collections.abc import Sequence

from crnn_mindspore.cli.command import run_command
from crnn_mindspore.doctor.device_step import check_step
from crnn_mindspore.doctor.devices import check_devices
from crnn_mindspore.doctor.machine import Machine
from crnn_mindspore.doctor.packages import check_packages
from crnn_mindspore.doctor.resources import check_resources
from crnn_mindspore.doctor.verdict import FAULT, as_json, table
from crnn_mindspore.options.commands import DoctorOptions
from crnn_mindspore.options.load import load_options


def main(argv: Sequence[str] | None = None, program: str = "crnn doctor") -> int:
    """Prints a line for each thing looked at; 1 if there is a fault."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: look(load_options(DoctorOptions, arguments, program, __doc__ or ""), Machine())
    )


def look(options: DoctorOptions, machine: Machine) -> int:
    """The same for a machine."""
    found = [
        *check_packages(machine),
        *check_devices(machine, options.device_target),
        *check_resources(machine, options.num_parallel_workers, options.folder),
    ]
    if machine.version("mindspore") and not options.quick:
        found.append(check_step(machine, options.device_target, options.device_id))
    print(as_json(found) if options.as_json else "\n".join(table(found)))
    return 1 if any(verdict.state == FAULT for verdict in found) else 0
