# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not measured in turns: a guest of its own for each."""

import re
import time

from counting import Count, Symbols, read_table
from guests import Guest, card, data_disk, disk
from harness.machine import PATIENCE, MachineError
from host_side import blank
from loads import DISKS, STOP_FIO, Disk

DEPTH = 128
HELD = Disk('held', 'reads that do not end', 'randread', '4k', DEPTH)
# The same is said of writes of 128 KiB as of reads.
COUNTED = DISKS[:3]
# A stall: for so many seconds no request ends. Busy hosts are slow.
STALL = 5 * PATIENCE
# As slow as a disk that always has all its requests under way
SLOW = 'driver=null-co,size=4294967296,latency-ns=2000000'


def compare_data(guest, image, mib=16):
    """fio reads back all that it wrote; the host finds the same."""
    guest.go_on()
    name = guest.block('data')
    guest.must(
        f'fio --name=data --filename=/dev/{name} --ioengine=libaio --direct=1 '
        f'--iodepth=16 --rw=randwrite --bsrange=4k-128k --size={mib}M '
        '--verify=crc32c --do_verify=1 --verify_fatal=1 --eta=never '
        '>/tmp/verify 2>&1 || { cat /tmp/verify; false; }', 300)
    there = guest.must(f'dd if=/dev/{name} bs=128k count={mib * 8} '
                       'iflag=direct 2>/dev/null | sum')
    guest.pause()
    here = image.sum(mib)
    if there != [here] or image.is_blank():
        raise MachineError(f'{guest.variant.name}: the guest finds {there} on '
                           f'its disk, the host finds {here}')


def kernel_symbols(guest, image):
    """The console is too slow for so many: they come by disk."""
    name = guest.block('data')
    guest.must(f'dd if=/proc/kallsyms of=/dev/{name} bs=64k conv=sync '
               'oflag=direct iflag=fullblock 2>/dev/null', 300)
    return Symbols(image.path.read_bytes().rstrip(b'\0').decode())


def count_instructions(context, plugin, variant, requests):
    """What one variant's guest runs for a request of each kind."""
    image = blank(context.folder / 'count.raw', 64)
    table = context.folder / 'instructions.table'
    args = [*disk(variant), *data_disk(variant, image.path),
            '-plugin', f'{plugin},table={table}']
    counts = {}
    with Guest(context, variant, args, name='bench-count') as guest:
        guest.settle()
        symbols = kernel_symbols(guest, image)
        guest.pause()
        for load in COUNTED:
            idle = driver_counts(guest)
            load.begin(guest)
            load.turn(guest)
            before, start = read_table(table), guest.requests()
            while guest.requests() < start + requests:
                load.turn(guest)
            counts[load.name] = Count(before, read_table(table), symbols,
                                      guest.requests() - start)
            load.end(guest)
            counts[load.name].driver = a_request(idle, driver_counts(guest))
    table.unlink()
    return counts


def window_counters(guest, qdev='disk'):
    """What the driver says about a device's window: {name: number}."""
    at = guest.address(qdev)
    found = {}
    for line in guest.must(
            f'cd /sys/bus/pci/devices/{at}/virtio_swiotlb 2>/dev/null && '
            'grep -H . * 2>/dev/null; true'):
        name, _, value = line.partition(':')
        if re.fullmatch(r'\d+', value.strip()):
            found[name] = int(value)
    for line in guest.must(f'pool {at} || true'):
        for name, value in re.findall(r'(\w+)=(\d+)\b', line):
            found.setdefault(name, int(value))
    return found


def driver_counts(guest):
    """(requests, counters) of an idle guest, which is left stopped."""
    guest.go_on()
    counters = window_counters(guest)
    guest.pause()
    return guest.requests(), counters


def a_request(before, after):
    """What the driver counts for a request, where it counts at all."""
    requests = after[0] - before[0]
    return {name: (after[1][name] - before[1].get(name, 0)) / requests
            for name in ('copied_in', 'copied_out', 'locks', 'batches')
            if name in after[1]}


def held_by_reads(guest):
    """Bytes of the window for each of many 4 KiB reads that do not end."""
    guest.go_on()
    name = guest.block()
    idle = window_counters(guest)
    guest.throttle(1)
    guest.must(HELD.command(name))
    guest.must('full() { read -r reads _ </sys/block/' + name + '/inflight; '
               f'[ "$reads" -ge {DEPTH - 8} ]; }}; await 120 full', 240)
    reads = int(guest.must(f'cat /sys/block/{name}/inflight')[0].split()[0])
    busy = window_counters(guest)
    guest.throttle(0)
    guest.must(STOP_FIO, 120)
    guest.pause()
    return {'reads': reads, 'idle': idle, 'busy': busy,
            'bytes': (busy['used'] - idle['used']) / reads}


def busy_window(context, peer, variant, requests, mib):
    """A busy disk and a busy network at once, each with such a window."""
    image = blank(context.folder / 'busy.raw', 1)
    args = [*disk(variant, blockdev=SLOW), *data_disk(variant, image.path),
            *card(variant, peer.wire(variant.name))]
    try:
        with Guest(context, variant, args, name='bench-busy') as guest:
            guest.settle()
            return keep_busy(guest, peer, requests, mib)
    except MachineError as error:
        # To hang is one of the answers.
        return {'completed': False, 'smooth': False, 'longest_gap': None,
                'waits': {}, 'said': str(error).splitlines()[:1]}


def keep_busy(guest, peer, requests, mib):
    subnet = peer.subnet(guest.variant)
    guest.must(f". /bench.sh; join {guest.address('net')} {subnet}.2 "
               f'{subnet}.1', 60)
    before = {q: window_counters(guest, q) for q in ('disk', 'net')}
    start = guest.requests()
    guest.start(
        f'(fio --name=busy --filename=/dev/{guest.block()} --thread '
        '--ioengine=libaio --direct=1 --rw=randrw --bs=4k --norandommap '
        f'--iodepth={DEPTH} --number_ios={requests} --size=100% '
        '--eta=never >/tmp/fio.log 2>&1; echo $? >/tmp/fio.status) & '
        f'for way in "" -R; do iperf3 -c {subnet}.1 -n {mib}M $way -i 0 '
        '>/tmp/iperf 2>&1 || { cat /tmp/iperf; exit 1; }; done; '
        'wait; exit $(cat /tmp/fio.status)')
    gap = longest_gap(guest, start, start + requests)
    status, lines = guest.finish(300, 'the disk and the network')
    after = {q: window_counters(guest, q) for q in ('disk', 'net')}
    completed = status == 0 and guest.requests() - start >= requests
    return {
        'completed': completed, 'smooth': completed and gap < STALL,
        'longest_gap': gap, 'said': lines[-5:],
        'waits': {q: after[q]['full'] - before[q]['full'] for q in after},
        'counters': after}


def longest_gap(guest, first, last):
    """For how many seconds, at most, no request ended."""
    longest, done, since = 0, first, time.monotonic()
    give_up = since + 300 * PATIENCE
    while done < last and time.monotonic() < give_up:
        now = guest.requests()
        if now == done and done > first:
            longest = max(longest, time.monotonic() - since)
        elif now != done:
            done, since = now, time.monotonic()
        if b'END ' in guest.socket['command'].buffer:
            break
        time.sleep(0.02)
    return longest
