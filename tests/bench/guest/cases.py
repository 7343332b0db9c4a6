# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not measured in turns: a guest of its own for each."""

import re
import time

from counting import Count, Symbols, read_table
from guests import Guest, card, data_disk, disk
from harness import devices
from harness.machine import PATIENCE, MachineError
from host_side import blank
from loads import DISKS, Disk

DEPTH = 128
HELD = Disk('held', 'reads that do not end', 'randread', '4k', DEPTH)
# What is said of other reads is true of the same writes. So many of the large
# ones take as long as one small one.
COUNTED = [load for load in DISKS
           if load.name not in ('write-4k-single', 'write-128k')]
LARGE = {'read-128k': 16}
# So much computing of QEMU without a request that ends is a stall, and a
# second in which nothing goes over the network.
STALL = 1.0
# Seconds; nothing that moves at all stands still for so long.
HANGS = 20
SECOND = re.compile(r'(\d+\.\d+)-(\d+\.\d+) +sec +([\d.]+) \w?Bytes')


def compare_data(guest, image, mib=16):
    """fio reads back all that it wrote; the host finds the same."""
    guest.go_on()
    there = guest.do(f"verify {guest.address('data')} {mib}", 120)
    guest.pause()
    here = image.sum(mib)
    if there != [here] or image.is_blank():
        raise MachineError(f'{guest.variant.name}: the guest finds {there} on '
                           f'its disk, the host finds {here}')


def kernel_symbols(guest, image):
    guest.do(f"keep_symbols {guest.address('data')}", 120)
    return Symbols(image.path.read_bytes().rstrip(b'\0').decode())


def count_instructions(context, plugin, variant, requests):
    """What one variant's guest runs for a request of each kind."""
    image = blank(context.folder / 'count.raw', 64)
    table = context.folder / 'instructions.table'
    args = [*disk(variant), *data_disk(variant, image.path),
            '-plugin', f'{plugin},table={table}']
    counts = {}
    try:
        with Guest(context, variant, args, name='bench-count') as guest:
            guest.settle()
            symbols = kernel_symbols(guest, image)
            guest.pause()
            for load in COUNTED:
                wanted = requests // LARGE.get(load.name, 1)
                counts[load.name] = count_load(guest, load, wanted, table,
                                               symbols)
    finally:
        table.unlink(missing_ok=True)
    return counts


def count_load(guest, load, requests, table, symbols):
    load.begin(guest)
    load.turn(guest)
    before, start = read_table(table), guest.requests()
    while guest.requests() < start + requests:
        load.turn(guest)
    count = Count(before, read_table(table), symbols,
                  guest.requests() - start)
    load.end(guest)
    return count


def held_by_reads(guest):
    """Bytes of the window for each of many 4 KiB reads that do not end."""
    guest.go_on()
    idle = devices.numbers(guest, 'disk')
    guest.throttle(1)
    HELD.start(guest)
    reads = int(guest.do(f"wait_for_reads {guest.address('disk')} {DEPTH - 8}",
                         150)[0])
    busy = devices.numbers(guest, 'disk')
    guest.throttle(0)
    HELD.end(guest)
    return {'reads': reads, 'idle': idle, 'busy': busy,
            'bytes': (busy['used'] - idle['used']) / reads}


def busy_window(context, peer, variant, requests, mib):
    """A busy disk and a busy network at once, each with such a window."""
    image = blank(context.folder / 'busy.raw', 1)
    args = [*disk(variant), *data_disk(variant, image.path),
            *card(variant, peer.wire(variant.name))]
    with Guest(context, variant, args, name='bench-busy') as guest:
        guest.settle()
        guest.do(f"join {guest.address('net')} "
                 f'{peer.others_address(variant)} '
                 f'{peer.own_address(variant)}', 60)
        before = {q: devices.numbers(guest, q) for q in ('disk', 'net')}
        start = guest.requests()
        guest.start(f". /bench.sh; busy {guest.address('disk')} {DEPTH} "
                    f'{requests} {peer.service(variant)} {mib * 1024}')
        gap = longest_gap(guest, start, start + requests)
        status, lines = guest.finish(90, 'the disk and the network')
        after = {q: devices.numbers(guest, q) for q in ('disk', 'net')}
        done = guest.requests() - start
    completed = status == 0 and done >= requests
    silent = silent_seconds(lines)
    return {
        'completed': completed, 'requests': done, 'longest_gap': gap,
        'smooth': completed and gap < STALL and silent == 0,
        'silent_seconds': silent, 'said': lines[-5:],
        'waits': {q: after[q]['full'] - before[q]['full'] for q in after},
        'counters': after}


def silent_seconds(lines):
    """How many of the whole seconds that iperf3 reports have no byte."""
    found = filter(None, map(SECOND.search, lines))
    return sum(float(m[2]) - float(m[1]) > 0.9 and float(m[3]) == 0
               for m in found)


def longest_gap(guest, first, last):
    """For how long QEMU computed, at most, while no request ended."""
    longest, done, since = 0, first, guest.cpu()
    moved = time.monotonic()
    while done < last:
        now, computed = guest.requests(), guest.cpu()
        if now != done:
            done, since, moved = now, computed, time.monotonic()
        elif done > first:
            longest = max(longest, computed - since)
        if time.monotonic() > moved + HANGS * PATIENCE:
            raise MachineError(f'{guest.variant.title}: no request ends any '
                               f'more after {done - first}')
        if b'END ' in guest.socket['command'].buffer:
            break
        time.sleep(0.02)
    return longest
