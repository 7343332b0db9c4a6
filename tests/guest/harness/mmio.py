# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine whose virtio devices are on virtio-mmio, with a pool."""

import re

from . import arch, machine
from .initramfs import More

MODULES = More('mmio', ['virtio_mmio'])


def pool(size='64M', required=False):
    """QEMU's arguments for a pool that all of virtio-mmio has."""
    return ['-object', f'virtio-dma-pool,id=pool0,size={size}',
            '-global', 'virtio-mmio.force-legacy=false',
            '-global', 'virtio-mmio.swiotlb-pool=pool0',
            '-global', 'virtio-mmio.swiotlb-required='
            f'{"on" if required else "off"}']


class Virt:
    """Has a devicetree.

    STOPS  what the kernel may say of a device that has stopped, with its driver
           waiting for it
    """

    MACHINE = 'virt'
    ARGUMENTS = TCG_ARGUMENTS = ()
    STOPS = 'blocked for more than|detected stalls'
    FIRST, APART = 0xa000000, 0x200

    @classmethod
    def transport(cls, _guest, number):
        """The guest's name of it"""
        return f'{cls.FIRST + cls.APART * number:x}.virtio_mmio'

    @staticmethod
    def pool(guest):
        """Where the pool begins"""
        node, = guest.must('ls -d /proc/device-tree/reserved-memory/'
                           'restricted-dma-pool@*')
        return int(node.rpartition('@')[2], 16)


class Microvm:
    """Has ACPI, and one serial port, beside which the second is put.

    Linux has one timer of it to measure the CPU's clock with, once, and stops
    if that fails. Under TCG it does on a busy host, unless time goes by
    instructions.
    """

    MACHINE = 'microvm,acpi=on,pcie=on'
    ARGUMENTS = ('-device', 'isa-serial,chardev=command,index=1')
    TCG_ARGUMENTS = ('-icount', 'shift=3')
    # Interrupts are levels there. A device that has stopped does not lower its
    # own any more, and the kernel turns that off.
    STOPS = f'{Virt.STOPS}|Call Trace'

    @staticmethod
    def platform_device(guest, path):
        """The one that a device of ACPI has"""
        found, = guest.must(f"grep -lFx '\\_SB_.{path}' /sys/bus/platform/"
                            'devices/*/firmware_node/path')
        return found.split('/')[5]

    @classmethod
    def transport(cls, guest, number):
        return cls.platform_device(guest, f'VR{number:02}')

    @classmethod
    def pool(cls, guest):
        device = cls.platform_device(guest, 'P000')
        line, = guest.must(f"grep ' : {device}$' /proc/iomem")
        return int(line.partition('-')[0], 16)


BOARDS = {arch.ARM64: Virt, arch.AMD64: Microvm}


class Machine(machine.Machine):
    """A guest; some of its devices may be on PCI."""

    def __init__(self, build, kernel, initramfs, args, **options):
        self.board = BOARDS[kernel.arch]
        more = [*self.board.ARGUMENTS]
        if 'tcg' in kernel.arch.accelerator():
            more += self.board.TCG_ARGUMENTS
        super().__init__(build, kernel, initramfs, [*more, *args],
                         machine=self.board.MACHINE, **options)

    def transport(self, qdev_id):
        """The QOM path and the number of a device's transport, if any."""
        bus = self.property(qdev_id, 'parent_bus')
        match = re.fullmatch(r'(.*)/virtio-mmio-bus\.(\d+)', bus)
        return match and (match[1], int(match[2]))

    def address(self, qdev_id):
        found = self.transport(qdev_id)
        if not found:
            return super().address(qdev_id)
        return self.board.transport(self, found[1])

    def rejected(self, qdev_id):
        found = self.transport(qdev_id)
        if not found:
            return super().rejected(qdev_id)
        return self.qmp('qom-get', path=found[0], property='swiotlb-rejected')
