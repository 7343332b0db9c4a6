# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions of the guest, by the kernel's functions.

The plugin counts blocks by address; /proc/kallsyms says whose they are.
"""

import bisect
import collections
import mmap
import re
import struct

ENTRY = struct.Struct('QQIIQ')
HEADER = struct.Struct('QQ')
KERNEL = 1 << 63

USER = 'programs'
# What does nothing but copy, on all the CPUs that there may be
COPY = re.compile(r'(__)?(memcpy|memmove|copy_page)(_orig|_erms|_regs)?$|'
                  r'(__)?memcpy_(to|from)io$|vsw_copy_long$')
LOCK = re.compile(r'_raw_(spin|read|write)_(try)?lock(_bh|_irq|_irqsave)?$|'
                  r'mutex_lock|(__)?down_(read|write)$')

DRIVER = '[virtio_swiotlb]'


class Symbols:
    """Functions of a kernel and its modules, by address."""

    def __init__(self, text):
        found = {}
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 3 and words[1] in 'tTwW':
                module = ' '.join(words[3:])
                name = f'{words[2]} {module}'.strip()
                found.setdefault(int(words[0], 16), name)
        self.addresses = sorted(found)
        self.names = [found[a] for a in self.addresses]

    def name(self, address):
        if address < KERNEL:
            return USER
        i = bisect.bisect_right(self.addresses, address) - 1
        return self.names[i] if i >= 0 else f'{address:#x}'


def bare(name):
    """Without the module."""
    return name.partition(' ')[0]


def read_table(path):
    """{(address, callee, instructions, locked): count}, from the plugin."""
    with path.open('rb') as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        used, lost = HEADER.unpack_from(data)
        if lost:
            raise ValueError(f'the plugin had no room for {lost} blocks')
        end = HEADER.size + used * ENTRY.size
        return {entry[:4]: entry[4]
                for entry in ENTRY.iter_unpack(data[HEADER.size:end])}


class Count:
    """What ran between two readings of the table, for each request.

    functions  {name: instructions}
    locks      {caller: calls of lock routines}
    atomics    {name: instructions with a lock prefix}
    driver     {name: what our driver counts}
    """

    def __init__(self, before, after, symbols, requests):
        self.requests = requests
        self.functions = collections.Counter()
        self.locks = collections.Counter()
        self.atomics = collections.Counter()
        # What our driver says, with names of its own
        self.driver = {}
        for key, count in after.items():
            times = (count - before.get(key, 0)) / requests
            if times:
                self.add(key, times, symbols)

    def add(self, key, times, symbols):
        address, callee, instructions, locked = key
        name = symbols.name(address)
        self.functions[name] += times * instructions
        if locked:
            self.atomics[name] += times * locked
        if callee and LOCK.match(bare(symbols.name(callee))):
            self.locks[name] += times

    def total(self):
        return sum(self.functions.values())

    def user(self):
        return self.functions[USER]

    def copying(self):
        return sum(n for name, n in self.functions.items()
                   if COPY.match(bare(name)))

    def outside(self):
        """The kernel's instructions, without those that copy."""
        return self.total() - self.user() - self.copying()

    def shared_locks(self):
        """Calls of lock routines by our driver."""
        return sum(n for name, n in self.locks.items() if DRIVER in name)

    def as_json(self, top=60):
        return {
            'requests': self.requests, 'all': self.total(),
            'programs': self.user(), 'copying': self.copying(),
            'kernel_outside_copying': self.outside(),
            'lock_calls': sum(self.locks.values()),
            'atomics': sum(self.atomics.values()),
            'driver': self.driver,
            'functions': dict(self.functions.most_common(top)),
            'lock_callers': dict(self.locks.most_common(top)),
            'atomic_users': dict(self.atomics.most_common(top))}
