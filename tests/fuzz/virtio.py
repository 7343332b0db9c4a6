# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtio 1.2 PCI driver that can put anything anywhere."""

import struct

from machine import MIB, RAM_SIZE, Function, map_file

WINDOW = MIB
# Drivers use [PAGE, HALF) of a window; nobody may change the rest of it.
PAGE = 4096
HALF = WINDOW // 2
RINGS = 2 * PAGE
PICTURE = RINGS + 0x28000
BUFFERS = PICTURE + 0x8000

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 64
INDIRECT, EVENT_IDX, SWIOTLB, VERSION_1, PLATFORM, PACKED = [
    1 << bit for bit in (28, 29, 27, 32, 33, 34)]
QUEUE_RESET = 1 << 40
NEXT, WRITE, TABLE = 1, 2, 4
MEMORY, MASTER = 2, 4

# Registers of the common configuration: offset, size
FEATURE_SELECT, FEATURES = (0, 4), (4, 4)
DRIVER_SELECT, DRIVER_FEATURES = (8, 4), (12, 4)
CONFIG_VECTOR, STATUS, QUEUE = (16, 2), (20, 1), (22, 2)
QUEUE_SIZE, QUEUE_VECTOR, QUEUE_ENABLE = (24, 2), (26, 2), (28, 2)
QUEUE_NOTIFY, QUEUE_AREAS, QUEUE_RESETS = (30, 2), (32, 40, 48), (58, 2)
# Types of capabilities
COMMON, NOTIFY, ISR, DEVICE, CONFIG_ACCESS = range(1, 6)
WINDOW_CAPABILITY = 10


class Spot:
    """A bus address, and the bytes behind it if this side can see them."""

    def __init__(self, address, area=None, offset=0, machine=None):
        self.address = address
        self.area = area
        self.offset = offset
        self.machine = machine

    def plus(self, distance):
        return Spot(self.address + distance, self.area,
                    self.offset + distance, self.machine)

    def put(self, data):
        if self.machine:
            if 0 <= self.address <= RAM_SIZE - len(data):
                self.machine.write_ram(self.address, data)
        elif self.area and 0 <= self.offset <= len(self.area) - len(data):
            self.area[self.offset:self.offset + len(data)] = data

    def get(self, length):
        if self.machine:
            return self.machine.ram[self.address:self.address + length]
        if self.area is None or not 0 <= self.offset <= WINDOW - length:
            return bytes(length)
        return self.area[self.offset:self.offset + length]


class Queue:
    """One virtqueue, split or packed; its three areas are spots."""

    def __init__(self, index, size, packed, areas):
        self.index = index
        self.size = size
        self.packed = packed
        self.ring, self.driver_area, self.device_area = areas
        self.next = 0
        self.wrap = True
        self.available = 0
        self.lengths = {}
        self.used_at = 0
        self.used_wrap = True
        # No long rows of zeros: they would hide zeros in a disk.
        if packed:
            self.ring.put((b'\1' * 16) * size)
            self.driver_area.put(bytes(4))
            self.device_area.put(bytes(4))
        else:
            self.driver_area.put(bytes(4) + b'\1' * (2 * size + 2))
            self.device_area.put(bytes(4) + b'\1' * (8 * size + 2))

    def table(self, segments):
        """An indirect table."""
        last = len(segments) - 1
        if self.packed:
            return b''.join(
                struct.pack('<QIHH', address, length, 0, writable * WRITE)
                for address, length, writable in segments)
        return b''.join(
            struct.pack('<QIHH', address, length,
                        writable * WRITE | (index < last) * NEXT,
                        (index + 1) * (index < last))
            for index, (address, length, writable) in enumerate(segments))

    def add(self, segments, flags=0):
        """Offer a chain of (address, length, device writes)."""
        if self.packed:
            self.add_packed(segments, flags)
            return
        head = self.next
        for index, (address, length, writable) in enumerate(segments):
            more = index < len(segments) - 1
            following = (self.next + 1) % self.size
            self.ring.plus(16 * self.next).put(struct.pack(
                '<QIHH', address, length,
                flags | writable * WRITE | more * NEXT, following * more))
            self.next = following
        self.driver_area.plus(4 + 2 * (self.available % self.size)).put(
            struct.pack('<H', head))
        self.available = (self.available + 1) & 0xffff
        self.driver_area.plus(2).put(struct.pack('<H', self.available))

    def add_packed(self, segments, flags):
        entries = []
        head = self.next
        for index, (address, length, writable) in enumerate(segments):
            more = index < len(segments) - 1
            mark = 0x80 if self.wrap else 0x8000
            entries.append((self.next, struct.pack(
                '<QIHH', address, length, head,
                mark | flags | writable * WRITE | more * NEXT)))
            self.next += 1
            if self.next == self.size:
                self.next = 0
                self.wrap = not self.wrap
        for position, entry in reversed(entries):
            self.ring.plus(16 * position).put(entry)
        self.lengths[head] = len(segments)

    def used(self):
        """How many chains the device has given back."""
        if not self.packed:
            return struct.unpack('<H', self.device_area.plus(2).get(2))[0]
        while True:
            entry = self.ring.plus(16 * self.used_at).get(16)
            _, _, head, flags = struct.unpack('<QIHH', entry)
            if (bool(flags & 0x80) != self.used_wrap or
                    bool(flags & 0x8000) != self.used_wrap):
                return self.available
            self.available += 1
            self.used_at += self.lengths.get(head, 1)
            if self.used_at >= self.size:
                self.used_at -= self.size
                self.used_wrap = not self.used_wrap


class Device:
    """One virtio-pci function with a window, as its driver sees it."""

    def __init__(self, machine, model, index, bus, slot, bridge):
        self.machine = machine
        self.model = model
        self.index = index
        self.function = Function(machine, bus, slot)
        self.slot = slot
        self.bridge = bridge
        self.required = model.required
        self.rejected = 0
        self.by_config = False
        self.queues = {}
        self.home = (index + 1) << 36
        self.area = None

    def name(self):
        return f'd{self.index}'

    def discover(self):
        """Read the capabilities of a new function."""
        self.structures = {}
        for kind, at in self.function.capabilities():
            if kind == 9:
                self.structures[self.function.read(at + 3, 1)] = (
                    at, self.function.read(at + 4, 1),
                    self.function.read(at + 8, 4))
        self.notify_scale = self.function.read(
            self.structures[NOTIFY][0] + 16, 4)
        self.window_bar = self.structures[WINDOW_CAPABILITY][1]
        self.registers_bar = self.structures[COMMON][1]
        self.msix = self.function.capability(0x11)
        self.msix_bar = self.function.read(self.msix + 4, 4) & 7
        self.express = self.function.capability(0x10)
        self.power = self.function.capability(1)
        if self.model.memdev:
            path = self.machine.path(f'window{self.index}')
        else:
            path, = self.machine.memfds(WINDOW)
        self.area = map_file(path, WINDOW)
        self.put_home()

    def homes(self):
        """Where each BAR belongs."""
        return {self.window_bar: self.home,
                self.registers_bar: self.home + 16 * MIB + 0x8000,
                self.msix_bar: 0xc0000000 + self.index * MIB + 0x10000}

    def put_home(self):
        self.function.write(4, 2, 0)
        for bar, address in self.homes().items():
            self.move(bar, address)
        if self.power:
            self.function.write(self.power + 4, 2, 0)
        self.function.write(4, 2, MEMORY | MASTER)
        self.refresh()

    def move(self, bar, address):
        self.function.write(0x10 + 4 * bar, 4, address)
        if bar != self.msix_bar:
            self.function.write(0x14 + 4 * bar, 4, address >> 32)

    def refresh(self):
        """Read back where the BARs are now."""
        self.bars = {}
        for bar in self.homes():
            low = self.function.read(0x10 + 4 * bar, 4)
            high = 0
            if low & 4:
                high = self.function.read(0x14 + 4 * bar, 4)
            self.bars[bar] = (low & ~15) | high << 32
        self.decodes = bool(self.function.read(4, 2) & MEMORY)

    def is_home(self):
        return self.decodes and self.bars == self.homes()

    def window(self):
        return self.bars[self.window_bar]

    def spot(self, offset):
        """A place in the window, wherever that is mapped now."""
        return Spot(self.window() + offset, self.area, offset)

    def access(self, kind, offset, size, value=None):
        """A register, through its BAR or through configuration space."""
        at, bar, start = self.structures[kind]
        if not self.by_config and self.is_home():
            address = self.bars[bar] + start + offset
            if value is None:
                return self.machine.qtest.read(address, size)
            return self.machine.qtest.write(address, size, value)
        at = self.structures[CONFIG_ACCESS][0]
        self.function.write(at + 4, 1, bar)
        self.function.write(at + 8, 4, start + offset)
        self.function.write(at + 12, 4, size)
        if value is None:
            return self.function.read(at + 16, size)
        return self.function.write(at + 16, size, value)

    def get(self, register):
        return self.access(COMMON, *register)

    def set(self, register, value):
        self.access(COMMON, *register, value)

    def set_area(self, which, address):
        self.set((QUEUE_AREAS[which], 4), address & 0xffffffff)
        self.set((QUEUE_AREAS[which] + 4, 4), address >> 32)

    def offered(self):
        value = 0
        for word in range(2):
            self.set(FEATURE_SELECT, word)
            value |= self.get(FEATURES) << 32 * word
        return value

    def accept(self, features):
        for word in range(2):
            self.set(DRIVER_SELECT, word)
            self.set(DRIVER_FEATURES, features >> 32 * word & 0xffffffff)

    def reset(self):
        """False if the device does not finish its reset."""
        self.queues = {}
        self.set(STATUS, 0)
        return self.machine.wait(lambda: self.get(STATUS) == 0)

    def negotiate(self, features):
        """Up to FEATURES_OK; whether that sticks."""
        self.set(STATUS, ACKNOWLEDGE)
        self.set(STATUS, ACKNOWLEDGE | DRIVER)
        self.accept(features)
        self.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        return bool(self.get(STATUS) & FEATURES_OK)

    def add_queue(self, index, size, packed, areas):
        """Place a queue; the size that the device allows is the limit."""
        self.set(QUEUE, index)
        size = min(size, self.get(QUEUE_SIZE))
        queue = Queue(index, size, packed, areas)
        self.set(QUEUE_SIZE, size)
        for which, spot in enumerate(areas):
            self.set_area(which, spot.address)
        queue.notify_offset = self.get(QUEUE_NOTIFY) * self.notify_scale
        self.set(QUEUE_ENABLE, 1)
        self.queues[index] = queue
        return queue

    def areas(self, index, base=None):
        """The usual places of a queue's areas."""
        start = RINGS + self.model.queues.index(index) * 0x4000
        base = base or self.spot(0)
        return [base.plus(start + part * PAGE) for part in range(3)]

    def run(self):
        self.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def notify(self, queue):
        self.access(NOTIFY, queue.notify_offset, 2, queue.index)

    def needs_reset(self):
        return bool(self.get(STATUS) & NEEDS_RESET)

    def count_rejected(self):
        return self.machine.qmp.run('qom-get', path=self.name(),
                                    property='swiotlb-rejected')
