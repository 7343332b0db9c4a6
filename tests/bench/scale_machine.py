# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU without a guest, of which one can say what it costs.

This program is the CPU, by the qtest protocol. RAM is a file that it maps, so
that it can prepare requests, and window RAM is found among QEMU's files.
"""

import json
import mmap
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'fuzz'))

from machine import Function, Qmp, Qtest  # noqa: E402 pylint: disable=C0413

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PAGE = 4096
BIOS_SIZE = 64 * KIB
# Of q35, which leaves the rest below 4 GiB to devices
LOW_RAM, LOW_RAM_MAX = 2 * GIB, 0xb0000000
# 64-bit BARs have a place of this size for each device, 32-bit ones this
HIGH_PLACE, HIGH_FIRST = 1 << 36, 1 << 40
LOW_PLACE, LOW_FIRST = MIB, 0xc0000000

COMMAND, BAR0, CAPABILITIES = 0x04, 0x10, 0x34
MEMORY, MASTER = 2, 4
TYPE_64 = 4


def cpu_ns(pid):
    """CPU time of a process, of threads that have ended as well."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def thread_cpu_ns(pid, tid):
    text = Path(f'/proc/{pid}/task/{tid}/schedstat').read_text()
    return int(text.split()[0])


class PciDevice(Function):
    """One of the devices on the root bus: eight share a slot."""

    def __init__(self, machine, index):
        super().__init__(machine, 0, 0)
        self.index = index
        self.address = 1 << 31 | (4 * 8 + index) << 8
        self.bars = {}

    @staticmethod
    def place(index):
        """Where it is plugged in, as device properties."""
        return f'multifunction=on,addr={4 + index // 8:#x}.{index % 8}'

    def write_bar(self, bar, address):
        self.write(BAR0 + 4 * bar, 4, address & 0xffffffff)
        if self.bars[bar][1]:
            self.write(BAR0 + 4 * bar + 4, 4, address >> 32)

    def map(self):
        """Give every memory BAR a place, and switch the device on."""
        high = HIGH_FIRST + self.index * HIGH_PLACE
        low = LOW_FIRST + self.index * LOW_PLACE
        bar = 0
        while bar < 6:
            self.write(BAR0 + 4 * bar, 4, 0xffffffff)
            mask = self.read(BAR0 + 4 * bar, 4)
            is_64 = mask & 6 == TYPE_64
            if is_64:
                self.write(BAR0 + 4 * bar + 4, 4, 0xffffffff)
                mask |= self.read(BAR0 + 4 * bar + 4, 4) << 32
            size = -(mask & ~15) & (1 << 64 if is_64 else 1 << 32) - 1
            if mask and not mask & 1:
                start = high if is_64 else low
                start = (start + size - 1) & -size
                self.bars[bar] = (start, is_64, size)
                self.write_bar(bar, start)
                if is_64:
                    high = start + size
                else:
                    low = start + size
            bar += 2 if is_64 else 1
        self.write(COMMAND, 2, MEMORY | MASTER)
        self.machine.qtest.flush()


class Machine:
    """One QEMU; use it in a `with` statement.

    devices    of each on the root bus, what follows -device; they are mapped
    arguments  more for the command line
    """

    def __init__(self, qemu, devices=(), arguments=(), memory=128 * MIB):
        self.memory = memory
        self.ram_file = os.memfd_create('ram')
        os.ftruncate(self.ram_file, memory)
        self.bios = tempfile.TemporaryFile()
        self.bios.truncate(BIOS_SIZE)
        sockets = [socket.socketpair() for _ in range(2)]
        there = [pair[1].fileno() for pair in sockets]
        fds = [self.ram_file, self.bios.fileno(), *there]
        command = [
            str(qemu), '-accel', 'qtest', '-display', 'none', '-nodefaults',
            '-no-user-config', '-vga', 'none', '-qtest-log', 'none',
            '-chardev', f'socket,id=cpu,fd={there[0]}', '-qtest',
            'chardev:cpu', '-chardev', f'socket,id=qmp,fd={there[1]}',
            '-mon', 'chardev=qmp,mode=control',
            '-machine', 'q35,memory-backend=ram', '-m', f'{memory // MIB}M',
            '-object', f'memory-backend-file,id=ram,size={memory},share=on,'
            f'prealloc=off,mem-path=/dev/fd/{self.ram_file}',
            '-bios', f'/dev/fd/{self.bios.fileno()}', *arguments]
        for index, device in enumerate(devices):
            command += ['-device', f'{device},{PciDevice.place(index)}']
        # It makes memory resident that only was allocated.
        env = {name: value for name, value in os.environ.items()
               if name != 'MALLOC_PERTURB_'}
        begin = time.monotonic_ns()
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.stderr,
            stderr=self.stderr, pass_fds=fds, env=env)
        for _, end in sockets:
            end.close()
        self.qtest = Qtest(sockets[0][0])
        try:
            self.qmp = Qmp(sockets[1][0])
        except Exception as error:
            self.process.kill()
            self.process.wait()
            self.stderr.seek(0)
            raise RuntimeError(self.stderr.read().decode()) from error
        # The monitor answers a command only once the machine is complete.
        self.start_wall_ns = time.monotonic_ns() - begin
        self.start_cpu_ns = cpu_ns(self.process.pid)
        self.devices = [PciDevice(self, i) for i in range(len(devices))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.stderr.close()
        self.bios.close()
        os.close(self.ram_file)
        for channel in (self.qtest, self.qmp):
            channel.lines.close()
            channel.sock.close()

    def map_all(self):
        for device in self.devices:
            device.map()

    def main_cpu_ns(self):
        return thread_cpu_ns(self.process.pid, self.process.pid)

    def own_memory(self):
        """Resident bytes, without what is mapped of files such as QEMU."""
        text = Path(f'/proc/{self.process.pid}/status').read_text()
        return sum(int(re.search(rf'{name}:\s+(\d+)', text)[1]) * KIB
                   for name in ('RssAnon', 'RssShmem'))

    def hmp(self, line):
        return self.qmp.run('human-monitor-command', **{'command-line': line})

    def flat_views(self):
        return FlatViews(self.hmp('info mtree -f'))

    def windows(self):
        """Paths of the windows' files, by inode."""
        found = {}
        for path in Path(f'/proc/{self.process.pid}/fd').iterdir():
            try:
                if os.readlink(path).startswith('/memfd:swiotlb'):
                    found[path.stat().st_ino] = path
            except FileNotFoundError:
                continue
        return list(found.values())

    def touched(self):
        """What of the windows is there: bytes in the files, and resident."""
        stored = 0
        for path in self.windows():
            with path.open('rb') as file:
                try:
                    os.lseek(file.fileno(), 0, os.SEEK_DATA)
                    stored += max(file.fileno() and path.stat().st_blocks
                                  * 512, 1)
                except OSError:
                    # ENXIO: the whole file is a hole.
                    stored += path.stat().st_blocks * 512
        smaps = Path(f'/proc/{self.process.pid}/smaps').read_text()
        resident, mapped = 0, 0
        for part in re.split(r'(?m)^(?=[0-9a-f]+-[0-9a-f]+ )', smaps)[1:]:
            if '/memfd:swiotlb' in part.partition('\n')[0]:
                mapped += int(re.search(r'^Size:\s+(\d+)', part, re.M)[1])
                resident += int(re.search(r'^Rss:\s+(\d+)', part, re.M)[1])
        return {'stored': stored, 'resident': resident * KIB,
                'mapped': mapped * KIB}


class FlatViews:
    """What 'info mtree -f' says."""

    RANGE = re.compile(r'^  [0-9a-f]{16}-[0-9a-f]{16} \(prio', re.M)

    def __init__(self, text):
        self.bytes = len(text)
        self.views = len(re.findall(r'^FlatView #', text, re.M))
        self.spaces = len(re.findall(r'^ AS "', text, re.M))
        self.ranges = len(self.RANGE.findall(text))


class Memory:
    """Something mapped here, and where a device finds it."""

    def __init__(self, area, pieces):
        self.area = area
        # (bus address, offset in the area, bytes)
        self.pieces = pieces

    def address(self, offset):
        for bus, start, size in self.pieces:
            if start <= offset < start + size:
                return bus + offset - start
        raise ValueError(f'{offset:#x} is beyond the end')


def ram(machine):
    area = mmap.mmap(machine.ram_file, machine.memory)
    low = machine.memory if machine.memory < LOW_RAM_MAX else LOW_RAM
    return Memory(area, [(0, 0, low), (4 * GIB, low, machine.memory - low)])


def window(machine, device):
    """The window of a device, whose size no other window has."""
    bus, _, size = max(device.bars.values(), key=lambda bar: bar[2])
    path, = [p for p in machine.windows() if p.stat().st_size == size]
    with path.open('r+b') as file:
        area = mmap.mmap(file.fileno(), size)
    return Memory(area, [(bus, 0, size)])


class BlockDriver:
    """Reads of a virtio-blk device: a ring's worth of them at a time.

    All are there from the start, so that a round is one store and one kick.
    """

    SIZE = 1024
    SECTORS = 1 << 22
    VERSION_1, PLATFORM, SWIOTLB, INDIRECT = 1 << 32, 1 << 33, 1 << 27, 1 << 28
    ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
    NEXT, WRITE, TABLE = 1, 2, 4
    NO_INTERRUPT = 1
    # Offsets in the memory, behind the holes of a PC; what is read goes behind
    RING, AVAILABLE, USED, TABLES, HEADERS, STATUS, DATA = [
        MIB + PAGE * page for page in (0, 4, 8, 16, 32, 40, 64)]

    def __init__(self, machine, device, memory, features, random):
        self.machine = machine
        self.device = device
        self.memory = memory
        self.features = features
        self.thread = None
        self.at = 0
        self.find_registers()
        self.write_ring(random)
        self.start()

    def find_registers(self):
        function = self.device
        self.registers = {}
        for kind, at in function.capabilities():
            if kind == 9:
                bar = function.read(at + 4, 1)
                if bar in function.bars:
                    self.registers[function.read(at + 3, 1)] = (
                        function.bars[bar][0] + function.read(at + 8, 4), at)

    def common(self, offset, size, value=None):
        address = self.registers[1][0] + offset
        if value is None:
            return self.machine.qtest.read(address, size)
        return self.machine.qtest.write(address, size, value)

    def write_ring(self, random):
        area, address = self.memory.area, self.memory.address
        pages = random.sample(range(self.DATA // PAGE, len(area) // PAGE),
                              self.SIZE)
        area[self.AVAILABLE:self.AVAILABLE + 4] = struct.pack(
            '<HH', self.NO_INTERRUPT, 0)
        area[self.USED:self.USED + 4] = bytes(4)
        for i, page in enumerate(pages):
            table = self.TABLES + 48 * i
            area[self.RING + 16 * i:self.RING + 16 * i + 16] = struct.pack(
                '<QIHH', address(table), 48, self.TABLE, 0)
            entry = self.AVAILABLE + 4 + 2 * i
            area[entry:entry + 2] = struct.pack('<H', i)
            header = self.HEADERS + 16 * i
            area[header:header + 16] = struct.pack(
                '<IIQ', 0, 0, random.randrange(self.SECTORS) * 8)
            area[table:table + 48] = struct.pack(
                '<QIHHQIHHQIHH', address(header), 16, self.NEXT, 1,
                address(page * PAGE), PAGE, self.NEXT | self.WRITE, 2,
                address(self.STATUS + i), 1, self.WRITE, 0)

    def start(self):
        qtest = self.machine.qtest
        common = self.common
        common(20, 1, 0)
        common(20, 1, self.ACKNOWLEDGE | self.DRIVER)
        for word in range(2):
            common(8, 4, word)
            common(12, 4, self.features >> 32 * word & 0xffffffff)
        status = self.ACKNOWLEDGE | self.DRIVER | self.FEATURES_OK
        common(20, 1, status)
        if not common(20, 1) & self.FEATURES_OK:
            raise RuntimeError('the device does not accept the features')
        common(22, 2, 0)
        common(24, 2, self.SIZE)
        for register, offset in ((32, self.RING), (40, self.AVAILABLE),
                                 (48, self.USED)):
            where = self.memory.address(offset)
            common(register, 4, where & 0xffffffff)
            common(register + 4, 4, where >> 32)
        start, at = self.registers[2]
        self.notify = start + common(30, 2) * self.device.read(at + 16, 4)
        common(28, 2, 1)
        common(20, 1, status | self.DRIVER_OK)
        qtest.flush()

    def round(self, seconds=20):
        """Have the whole ring done once; each request has to succeed."""
        area = self.memory.area
        status = slice(self.STATUS, self.STATUS + self.SIZE)
        area[status] = b'\xff' * self.SIZE
        self.at = (self.at + self.SIZE) & 0xffff
        want = struct.pack('<H', self.at)
        area[self.AVAILABLE + 2:self.AVAILABLE + 4] = want
        self.machine.qtest.write(self.notify, 2, 0)
        self.machine.qtest.flush()
        end = time.monotonic() + seconds
        while area[self.USED + 2:self.USED + 4] != want:
            if time.monotonic() > end:
                raise RuntimeError('requests are not completed')
            time.sleep(0.0005)
        if area[status] != bytes(self.SIZE):
            raise RuntimeError('requests have failed')

    def cpu_ns(self):
        """CPU time of the I/O thread."""
        if not self.thread:
            thread, = self.machine.qmp.run('query-iothreads')
            self.thread = thread['thread-id']
        return thread_cpu_ns(self.machine.process.pid, self.thread)


def dump(path, result):
    Path(path).write_text(json.dumps(result, indent=1) + '\n')
