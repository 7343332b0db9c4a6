# SPDX-License-Identifier: GPL-2.0-or-later
"""What a running QEMU holds of its host, to compare before and after."""

import os
import re
import time
from collections import Counter

from .machine import PATIENCE


class Held:
    """RAM blocks, open files, mapped windows, private memory.

    The memory of a QEMU whose CPUs run says nothing: what TCG knows of the
    guest's code and pages comes and goes by tens of MiB.
    """

    def __init__(self, machine):
        pid = machine.process.pid
        lines = machine.hmp('info ramblock').splitlines()[1:]
        self.blocks = sorted(line.split()[0] for line in lines if line.strip())
        self.files = sorted(files(pid))
        self.windows = windows(pid)
        self.kib = private_kib(pid)

    def __str__(self):
        return (f'{len(self.blocks)} RAM blocks, {len(self.files)} files, '
                f'{self.windows} windows')

    def difference(self, before, with_files=True):
        """What is here and was not there before, or the other way round."""
        text = [f'windows {before.windows} -> {self.windows}'] \
            if self.windows != before.windows else []
        pairs = [(before.blocks, self.blocks)]
        if with_files:
            pairs.append((before.files, self.files))
        for old, new in pairs:
            text += [f'gone: {name} ({number} times)' for name, number
                     in (Counter(old) - Counter(new)).items()]
            text += [f'new: {name} ({number} times)' for name, number
                     in (Counter(new) - Counter(old)).items()]
        return ', '.join(text)


def files(pid):
    folder = f'/proc/{pid}/fd'
    for name in os.listdir(folder):
        try:
            # Numbers of sockets and pipes say nothing.
            yield re.sub(r':\[\d+\]', '', os.readlink(f'{folder}/{name}'))
        except FileNotFoundError:
            pass


def windows(pid):
    """How many windows without a backend of the user's are mapped."""
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps:
        return sum('memfd:swiotlb' in line for line in maps)


def private_kib(pid):
    """Resident private memory."""
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as smaps:
        return next(int(line.split()[1]) for line in smaps
                    if line.startswith('Anonymous:'))


def check_same(tap, machine, before, what, kib=None, seconds=15,
               with_files=True):
    """QEMU holds what it held before; up to `kib` more of private memory.

    It frees some of it when its threads have come to rest. Files come and go
    with the work of devices.
    """
    def fits(now):
        return kib is None or now.kib <= before.kib + kib

    def settled():
        now = Held(machine)
        good = not now.difference(before, with_files) and fits(now)
        late = time.monotonic() > end
        return now if good or late else None

    end = time.monotonic() + seconds * PATIENCE
    now = machine.wait_for(settled, 2 * seconds, 'QEMU to give all back')
    tap.ok(not now.difference(before, with_files),
           f'{what}: as many RAM blocks, files and windows as before',
           now.difference(before, with_files))
    if kib is not None:
        tap.ok(fits(now),
               f'{what}: no more than {kib} KiB of memory more than before',
               f'{before.kib} KiB before, {now.kib} KiB now')
    return now
