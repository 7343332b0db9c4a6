# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that take turns: all but one of them are stopped."""

import contextlib
import time
from pathlib import Path

from harness import devices, initramfs
from harness.machine import PATIENCE, Machine

HERE = Path(__file__).resolve().parent
TOOLS = ('fio', 'iperf3')
HOURS = 4 * 3600
BOOT_AT_ONCE = 2
# When the host is busy the guest's clocks are wrong, and so are watchdogs.
QUIET = 'rcupdate.rcu_cpu_stall_suppress=1 nowatchdog cryptomgr.notests'
# The same program lies at the same addresses in all guests: TCG's caches go by
# address.
ALIKE = 'nokaslr norandmaps'


def process_clock(pid):
    """What clock_getcpuclockid(3) gives: all threads, ended ones too."""
    return (~pid << 3) | 2


class Guest(Machine):
    """A guest that works in the way of `variant`.

    args  its devices, each made by one of the functions below
    """

    def __init__(self, context, variant, args, **options):
        self.variant = variant
        self.is_up = False
        super().__init__(
            context.build, context.kernel, ramdisk(context, variant),
            [*variant.machine, *args], deadline=HOURS / PATIENCE,
            append=f'{ALIKE} {QUIET} {variant.append}',
            **{'name': f'bench-{variant.name}', **options})

    def launch(self):
        super().launch()
        self.is_up = True

    def __exit__(self, *exc):
        """More than once does no harm."""
        if self.is_up:
            self.is_up = False
            super().__exit__(*exc)

    def do(self, line, seconds=60):
        """The output lines of one of bench.sh's functions."""
        return self.must(f'. /bench.sh; {line}', seconds)

    def settle(self):
        """Its devices are there, and the disk works as the variant says."""
        self.must(' '.join(['load_all', *self.variant.modules, 'virtio_pci',
                            'virtio_blk', 'virtio_net']))
        for name in ('disk', 'data'):
            self.do(f'disk_ready {self.address(name)}')
        self.variant.check(self)

    def cpu(self):
        """Seconds that QEMU has computed."""
        return time.clock_gettime(process_clock(self.process.pid))

    def compute(self, seconds, what):
        """Return when QEMU has computed for so long."""
        until = self.cpu() + seconds
        give_up = time.monotonic() + 60 * PATIENCE
        while self.cpu() < until:
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.fail(f'{what}: QEMU does not compute')
            time.sleep(0.004)

    def pause(self):
        self.qmp('stop')

    def go_on(self):
        self.qmp('cont')

    def requests(self):
        """How many of them the disk has completed."""
        for entry in self.qmp('query-blockstats'):
            if entry.get('qdev', '').startswith('/machine/peripheral/disk/'):
                stats = entry['stats']
                return stats['rd_operations'] + stats['wr_operations']
        self.fail('QEMU counts no requests of the disk')
        return None

    def throttle(self, per_second):
        """How many requests the disk may end; 0: as many as it can."""
        devices.hold(self, 'disk', iops=per_second)


def ramdisk(context, variant):
    """With fio and iperf3, and what the variant needs."""
    ours = 'virtio_swiotlb' in variant.modules
    others = [n for n in variant.modules if n != 'virtio_swiotlb']
    more = initramfs.More('-'.join(['bench', *others]), modules=others,
                          tools=TOOLS, files={'bench.sh': HERE / 'bench.sh'})
    return initramfs.make(
        context.build, context.kernel,
        {'': context.build.driver(context.kernel)} if ours else {}, more)


def disk(variant, qdev='disk', blockdev='driver=null-co,size=4294967296'):
    """A disk that costs as little as possible.

    A thread of its own would cost each request more than its DMA does: two
    more wake-ups, and the system calls for them.
    """
    return ['-blockdev', f'{blockdev},node-name={qdev}-node',
            '-device', f'virtio-blk-pci,id={qdev},drive={qdev}-node,'
            f'{variant.options}']


def data_disk(variant, path):
    """A disk whose data can be compared."""
    return disk(variant, 'data',
                f'driver=raw,file.driver=file,file.filename={path}')


def card(variant, socket):
    return ['-netdev', 'stream,id=wire,server=off,addr.type=unix,'
            f'addr.path={socket}',
            '-device', 'virtio-net-pci,id=net,netdev=wire,romfile=,'
            f'{variant.options}']


@contextlib.contextmanager
def all_up(guests, run):
    """They boot, a few at once, and are stopped again."""
    def meet(guest):
        with run.risk(f'booting: {guest.variant.title}', guest):
            guest.meet()
            guest.settle()
            guest.pause()
            run.say(f'booted: {guest.variant.title}')

    with contextlib.ExitStack() as stack:
        booting = []
        for guest in guests:
            stack.callback(guest.__exit__)
            guest.launch()
            booting.append(guest)
            if len(booting) == BOOT_AT_ONCE:
                meet(booting.pop(0))
        for guest in booting:
            meet(guest)
        yield
