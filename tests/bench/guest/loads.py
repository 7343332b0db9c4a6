# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests do in a turn, and what a turn cost.

A load is begun in each guest, which is stopped again; then turns are taken. A
turn's figure is the CPU time that QEMU spent for each operation.
"""

# A turn of a disk is over when QEMU has computed for as long.
TURN = 0.1

FIO = ('fio --thread --ioengine=libaio --direct=1 --gtod_reduce=1 '
       '--norandommap --randrepeat=1 --time_based --runtime=1d --eta=never '
       '--name=load')
RUN_FIO = '>/tmp/fio.log 2>&1 & echo $! >/tmp/fio'
STOP_FIO = ('pid=$(cat /tmp/fio); kill -9 $pid; '
            'gone() { ! kill -0 $pid; }; await 60 gone')


class Disk:
    """Requests of one kind, as many as there is time for.

    They are counted by QEMU, while the guest is stopped.
    """

    unit = 'request'

    def __init__(self, name, title, rw, size, depth):
        self.name = name
        self.title = title
        self.rw = rw
        self.size = size
        self.depth = depth

    def command(self, device):
        """A fio that never ends by itself."""
        return (f'{FIO} --filename=/dev/{device} --rw={self.rw} '
                f'--bs={self.size} --iodepth={self.depth} {RUN_FIO}')

    def begin(self, guest):
        guest.go_on()
        guest.must(self.command(guest.block()))
        before = guest.requests()
        guest.wait_for(lambda: (guest.requests() > before + 200) or None,
                       120, f'fio to start {self.name}')
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
        guest.must(STOP_FIO, 120)
        guest.pause()


class Stream:
    """iperf3 with a peer that is always plain: a fixed number of bytes."""

    unit = 'KiB'

    def __init__(self, name, title, peer, mib, reverse):
        self.name = name
        self.title = title
        self.peer = peer
        self.kib = mib * 1024
        self.reverse = '-R' if reverse else ''

    def begin(self, guest):
        subnet = self.peer.subnet(guest.variant)
        guest.go_on()
        guest.must(f". /bench.sh; join {guest.address('net')} {subnet}.2 "
                   f'{subnet}.1', 60)
        guest.pause()

    def turn(self, guest):
        guest.go_on()
        computed = guest.cpu()
        guest.must(
            f'iperf3 -c {self.peer.subnet(guest.variant)}.1 -n {self.kib}K '
            f'{self.reverse} -i 0 >/tmp/iperf 2>&1 || '
            '{ cat /tmp/iperf; false; }', 240)
        computed = guest.cpu() - computed
        guest.pause()
        return computed / self.kib

    def end(self, guest):
        pass


DISKS = (
    Disk('read-4k', '4 KiB random read, QD16', 'randread', '4k', 16),
    Disk('write-4k', '4 KiB random write, QD16', 'randwrite', '4k', 16),
    Disk('read-128k', '128 KiB sequential read, QD16', 'read', '128k', 16),
    Disk('write-128k', '128 KiB sequential write, QD16', 'write', '128k', 16))


def streams(peer, mib):
    return [Stream('send', 'iperf3, the guest sends', peer, mib, False),
            Stream('receive', 'iperf3, the guest receives', peer, mib, True)]
