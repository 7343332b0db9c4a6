# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest at the other end of every wire: one for all, always plain."""

from guests import Guest, data_disk, disk
from variants import PLAIN

NETWORK = '10.77'


class Peer(Guest):
    """It has a card for each of the variants that it talks with."""

    def __init__(self, context, variants):
        self.names = [variant.name for variant in variants]
        self.wires = context.folder
        data = context.folder / 'peer.raw'
        data.write_bytes(bytes(1 << 20))
        args = disk(PLAIN) + data_disk(PLAIN, data)
        for name in self.names:
            args += ['-netdev', f'stream,id={name},server=on,addr.type=unix,'
                     f'addr.path={self.wire(name)}',
                     '-device', f'virtio-net-pci,id=net-{name},netdev={name},'
                     f'romfile=,{PLAIN.options}']
        super().__init__(context, PLAIN, args, name='bench-peer')

    def wire(self, name):
        return self.wires / f'{name}.wire'

    def subnet(self, variant):
        return f'{NETWORK}.{self.names.index(variant.name) + 1}'

    def settle(self):
        super().settle()
        for i, name in enumerate(self.names, 1):
            self.must(f". /bench.sh; join {self.address(f'net-{name}')} "
                      f'{NETWORK}.{i}.1')
        self.must('iperf3 -s -D')
