# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine whose virtio devices are on virtio-mmio, with a pool."""

import re

from . import machine
from .initramfs import More

MODULES = More('mmio', ['virtio_mmio'])
# Of virt
FIRST, APART = 0xa000000, 0x200


def pool(size='64M', required=False):
    """QEMU's arguments for a pool that all of virtio-mmio has."""
    return ['-object', f'virtio-dma-pool,id=pool0,size={size}',
            '-global', 'virtio-mmio.force-legacy=false',
            '-global', 'virtio-mmio.swiotlb-pool=pool0',
            '-global', 'virtio-mmio.swiotlb-required='
            f'{"on" if required else "off"}']


class Machine(machine.Machine):
    """A guest; some of its devices may be on PCI."""

    def transport(self, qdev_id):
        """The QOM path and the number of a device's transport, if any."""
        bus = self.property(qdev_id, 'parent_bus')
        match = re.fullmatch(r'(.*)/virtio-mmio-bus\.(\d+)', bus)
        return match and (match[1], int(match[2]))

    def address(self, qdev_id):
        found = self.transport(qdev_id)
        if not found:
            return super().address(qdev_id)
        return f'{FIRST + APART * found[1]:x}.virtio_mmio'

    def rejected(self, qdev_id):
        found = self.transport(qdev_id)
        if not found:
            return super().rejected(qdev_id)
        return self.qmp('qom-get', path=found[0], property='swiotlb-rejected')
