# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests do in a turn, and what a turn cost.

A load is begun in each guest, which is stopped again; then turns are taken. A
turn's figure is the CPU time that QEMU spent for each operation.
"""

import statistics

# A turn of a disk is over when QEMU has computed for as long.
TURN = 0.1
# What is sent to see what a stream costs before it flows
DRIP = 64


class Disk:
    """Requests of one kind, as many as there is time for.

    batch  so many are handed over in one call, and awaited together

    They are counted by QEMU, while the guest is stopped.
    """

    unit = 'request'

    def __init__(self, name, title, rw, size, depth, batch=1):
        self.name = name
        self.title = title
        self.rw = rw
        self.size = size
        self.depth = depth
        self.batch = batch

    def start(self, guest):
        guest.do(f"start_load {guest.address('disk')} {self.rw} {self.size} "
                 f'{self.depth} {self.batch}')

    def begin(self, guest):
        guest.go_on()
        self.start(guest)
        before = guest.requests()
        guest.wait_for(lambda: (guest.requests() > before + 200) or None,
                       60, f'fio to start {self.name}')
        guest.pause()

    def turn(self, guest):
        operations, computed = guest.requests(), guest.cpu()
        guest.go_on()
        guest.compute(TURN, self.title)
        guest.pause()
        computed = guest.cpu() - computed
        operations = guest.requests() - operations
        if not operations:
            guest.fail(f'{self.title}: no request in {computed} s')
        return computed / operations

    def end(self, guest):
        guest.go_on()
        guest.do('stop_load', 90)
        guest.pause()


class Stream:
    """iperf3 with a peer that is always plain: a fixed number of bytes.

    What iperf3 takes to start and to end is left out.
    """

    unit = 'KiB'

    def __init__(self, name, title, peer, mib, reverse):
        self.name = name
        self.title = title
        self.peer = peer
        self.kib = mib * 1024
        self.options = '-i 0 -R' if reverse else '-i 0'
        self.drips = {}

    def begin(self, guest):
        guest.go_on()
        guest.do(f"join {guest.address('net')} "
                 f'{self.peer.others_address(guest.variant)} '
                 f'{self.peer.own_address(guest.variant)}', 60)
        guest.pause()
        self.drips[guest] = statistics.median(
            self.spent(guest, DRIP) for _ in range(3))

    def spent(self, guest, kib):
        """Seconds that QEMU computes while so much is sent."""
        guest.go_on()
        computed = guest.cpu()
        guest.do(f'stream {self.peer.service(guest.variant)} {kib} '
                 f'{self.options}', 120)
        computed = guest.cpu() - computed
        guest.pause()
        return computed

    def turn(self, guest):
        spent = self.spent(guest, self.kib) - self.drips[guest]
        return spent / (self.kib - DRIP)

    def end(self, guest):
        pass


DISKS = (
    Disk('read-4k', '4 KiB random read, QD16', 'randread', '4k', 16, 16),
    Disk('write-4k', '4 KiB random write, QD16', 'randwrite', '4k', 16, 16),
    Disk('read-4k-single', '4 KiB random read, QD16, one by one', 'randread',
         '4k', 16),
    Disk('write-4k-single', '4 KiB random write, QD16, one by one',
         'randwrite', '4k', 16),
    Disk('read-128k', '128 KiB sequential read, QD16', 'read', '128k', 16),
    Disk('write-128k', '128 KiB sequential write, QD16', 'write', '128k', 16))


def streams(peer, mib):
    return [Stream('send', 'iperf3, the guest sends', peer, mib, False),
            Stream('receive', 'iperf3, the guest receives', peer, mib, True)]
