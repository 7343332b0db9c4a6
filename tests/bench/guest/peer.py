# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest at the other end of every wire: one for all, always plain."""

from guests import Guest, data_disk, disk
from variants import PLAIN

NETWORK = '10.77'
PORT = 5200


class Peer(Guest):
    """It has a card and an iperf3 for each of the variants."""

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

    def number(self, variant):
        return self.names.index(variant.name) + 1

    def own_address(self, variant):
        return f'{NETWORK}.{self.number(variant)}.1'

    def others_address(self, variant):
        return f'{NETWORK}.{self.number(variant)}.2'

    def service(self, variant):
        """Address and port: a client that failed blocks no other one."""
        return f'{self.own_address(variant)} {PORT + self.number(variant)}'

    def settle(self):
        super().settle()
        for i, name in enumerate(self.names, 1):
            self.do(f"join {self.address(f'net-{name}')} {NETWORK}.{i}.1")
            self.do(f'iperf3 -s -D -p {PORT + i}')
