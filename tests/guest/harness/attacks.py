# SPDX-License-Identifier: GPL-2.0-or-later
"""A rogue driver hands its device an address outside the window.

The test build of our driver does so on demand (its parameter `rogue`). What
happened is collected from both sides, and judged by the caller.
"""

import re

from . import devices

NEEDS_RESET = 0x40
STILL_RUNNING = 124
SECONDS = 2
SIZE = 4096


class Attack:
    """One attack on one disk, and what came of it.

    kind       buffer, header, indirect or ring, as the rogue driver says
    direction  read or write, as the disk's user sees it
    """

    def __init__(self, machine, disk, image, kind, direction='read'):
        self.disk = disk
        self.kind = kind
        self.direction = direction
        self.image = image
        self.before = image.path.read_bytes()
        # The driver was bound: for a ring that is the control.
        self.control = 0
        self.rejected_before = machine.property(disk, 'swiotlb-rejected')
        self.at = machine.address(disk)
        self.virtio = devices.State(machine, disk).name
        self.mount(machine)
        self.collect(machine)

    def mount(self, machine):
        work = {'ring': 'bind', 'read': 'read_block', 'write': 'write_block'}[
            'ring' if self.kind == 'ring' else self.direction]
        if self.kind == 'ring':
            machine.must(f'unbind {self.at}')
        else:
            # Harmless, the same request goes through.
            self.control, _ = machine.run(f'within 10 {work} {self.at}', 20)
            self.before = self.image.path.read_bytes()
        machine.must(f"rogue '{self.kind} 1 {self.virtio}'")
        self.status, self.output = machine.run(
            f'within {SECONDS} {work} {self.at}', SECONDS + 20)
        self.plan_left = machine.must('rogue_left')

    def collect(self, machine):
        said = re.search(
            rf'{self.virtio}: rogue: {self.kind} of (\d+) bytes at '
            r'(0x[0-9a-f]+)', machine.dmesg())
        self.size = int(said[1]) if said else 0
        self.address = int(said[2], 16) if said else None
        self.state = devices.State(machine, self.disk)
        self.rejected = (machine.property(self.disk, 'swiotlb-rejected')
                         - self.rejected_before)
        self.log = [line for line in machine.guest_errors().splitlines()
                    if line.startswith(f'swiotlb: {self.disk}: ')
                    and 'FEATURES_OK' not in line]
        self.memory = (machine.memory(self.address, self.size)
                       if self.address else b'')
        self.after = self.image.path.read_bytes()

    # Each of these must hold.

    def was_made(self):
        """The driver pointed outside, having done well inside just before."""
        return (self.control == 0 and self.address is not None
                and self.plan_left == ['none'])

    def not_completed(self):
        return self.status == STILL_RUNNING

    def disk_unchanged(self):
        return self.before == self.after

    def memory_unreached(self):
        """No piece of the disk arrived where the driver pointed."""
        pieces = {self.before[i:i + 8] for i in range(0, len(self.before), 8)}
        pieces.discard(bytes(8))
        return bool(self.memory) and not any(
            self.memory[i:i + 8] in pieces
            for i in range(0, len(self.memory), 8))

    def needs_reset(self):
        return bool(self.state.status & NEEDS_RESET)

    def was_logged(self):
        """QEMU's log names the device and the address."""
        return any(int(number, 16) in range(self.address,
                                            self.address + self.size)
                   for line in self.log
                   for number in re.findall(r'0x[0-9a-f]+', line))

    def __str__(self):
        address = self.address and hex(self.address)
        return (f'status {self.control} then {self.status} {self.output}, '
                f'plan {self.plan_left}, {self.size} bytes at {address}, '
                f'device status {self.state.status:#x}, '
                f'rejected {self.rejected}, log {self.log}')
