# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks that do anything in any order."""

import struct

import virtio
from attacker import Attacker
from machine import RAM_SIZE
from virtio import HALF, PAGE, WINDOW


class Wild(Attacker):
    def wild(self, device):
        """Anything, from a running device on."""
        rng = self.rng
        areas = {}
        if rng.random() < 0.3:
            index = rng.choice(device.model.queues)
            areas[index] = device.areas(index)
            areas[index][rng.randrange(3)] = self.aim_area(device)
        self.restore()
        if not self.session(device, areas):
            return
        for _ in range(rng.randrange(5, 40)):
            act = rng.choices(*zip(*self.wild_acts()))[0]
            self.note(act.__name__, device.index)
            act(device)
            # A free driver may have its device write to RAM.
            if not device.required and act in (
                    self.wild_reset, self.wild_power):
                break
        if rng.random() < 0.1:
            rng.choice((self.replug, self.system_reset))(device)

    def wild_acts(self):
        return ((self.wild_chain, 12), (self.wild_request, 12),
                (self.wild_notify, 6), (self.wild_index, 2),
                (self.wild_queue, 5), (self.wild_status, 2),
                (self.wild_features, 2), (self.wild_bar, 2),
                (self.wild_command, 2), (self.wild_reset, 1),
                (self.wild_power, 1), (self.wild_msix, 2),
                (self.wild_capability, 2), (self.wild_cpu, 2),
                (self.wild_host, 2))

    def wild_status(self, device):
        value = self.rng.choice((self.rng.randrange(256), 15, 7, 11, 3, 128))
        if not device.required:
            value |= virtio.FEATURES_OK
        device.set(virtio.STATUS, value)

    def wild_features(self, device):
        device.accept(self.rng.getrandbits(64) | (
            virtio.VERSION_1 | virtio.PLATFORM) * self.rng.randrange(2))
        device.set(virtio.DRIVER_SELECT, self.rng.randrange(2, 1 << 32))
        device.set(virtio.DRIVER_FEATURES, self.rng.getrandbits(32))

    def wild_length(self):
        return self.rng.choice((
            0, 1, 15, 16, 512, self.rng.randrange(4096),
            self.rng.randrange(1 << self.rng.randrange(1, 33))))

    def wild_chain(self, device):
        rng = self.rng
        queue = rng.choice(list(device.queues.values()))
        for _ in range(rng.randrange(1, 6)):
            length = self.wild_length()
            flags = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 0x80, 0x8000, 0x8085))
            if flags & virtio.TABLE:
                length = max(16, rng.choice((length,
                                             16 * rng.randrange(2048))))
            spot = self.aim(device, length, 16 if flags & 4 else 1)
            if rng.random() < 0.5:
                queue.add([(spot.address, length, False)], flags)
            else:
                queue.ring.plus(16 * rng.randrange(queue.size)).put(
                    struct.pack('<QIHH', spot.address, length, flags,
                                rng.choice((0, 1, 2, queue.size - 1,
                                            queue.size, 0xffff))))
            if flags & 4 and rng.random() < 0.7:
                self.wild_table(device, queue, spot, length)
        device.notify(queue)

    def wild_table(self, device, queue, spot, length):
        """Entries that loop, nest and point anywhere."""
        table = b''
        count = max(1, min(length // 16, 64))
        for _ in range(count):
            size = self.wild_length()
            target = self.rng.choice((spot, self.aim(device, size, 16)))
            if target is spot:
                size = min(size, 16 * count)
            table += struct.pack('<QIHH', target.address, size,
                                 self.rng.choice((0, 1, 1, 1, 2, 3, 3, 4, 7)),
                                 self.rng.choice((0, 1, 2, count - 1, count,
                                                  0xffff)))
        if self.in_private_ram(spot.address, len(table)) or spot.area:
            spot.put(table)

    def wild_request(self, device):
        """A sensible request with some of its parts elsewhere."""
        request = device.model.request(self.rng)
        queue = device.queues[request.queue]
        segments = self.lay_out(device, request)
        for index, (spot, length, writable) in enumerate(segments):
            choice = self.rng.random()
            if choice < 0.15:
                spot = self.aim(device, length)
                if not writable and (
                        self.in_private_ram(spot.address, length) or
                        spot.area):
                    spot.put(request.outputs[index])
                segments[index] = (spot, length, writable)
            elif choice < 0.2:
                segments[index] = (spot, length, not writable)
            elif choice < 0.25:
                length = self.wild_length()
                segments[index] = (self.aim(device, length), length, writable)
        table = self.table_place(device, queue)
        if table and self.rng.random() < 0.2:
            length = 16 * len(segments)
            table = self.aim(device, length, 16)
        self.offer(queue, segments, table)
        device.notify(queue)
        if self.rng.random() < 0.3:
            self.machine.qtest.flush()
            request.provoke()

    def wild_notify(self, device):
        rng = self.rng
        device.access(virtio.NOTIFY, rng.choice((
            0, 4, 8, 4 * rng.randrange(1024), rng.randrange(4096))),
            rng.choice((1, 2, 4)), rng.getrandbits(32) >> rng.randrange(32))

    def wild_index(self, device):
        queue = self.rng.choice(list(device.queues.values()))
        if queue.packed:
            queue.wrap = not queue.wrap
        else:
            queue.available = (queue.available + self.rng.choice(
                (-1, 1, 2, queue.size, queue.size + 1,
                 self.rng.randrange(1 << 16)))) & 0xffff
            queue.driver_area.plus(2).put(struct.pack('<H', queue.available))
        device.notify(queue)

    def wild_queue(self, device):
        """Registers of a queue, at a moment when they must not change."""
        rng = self.rng
        device.set(virtio.QUEUE, rng.choice(
            (*device.model.queues, rng.randrange(64), 0xffff, 1024)))
        for _ in range(rng.randrange(1, 6)):
            choice = rng.randrange(8)
            if choice == 0:
                device.set(virtio.QUEUE_SIZE, rng.choice(
                    (0, 1, 2, 3, 8, 256, 1024, 1025, 0x8000, 0xffff)))
            elif choice == 1:
                device.set(virtio.QUEUE_ENABLE, rng.choice((0, 1, 1, 1, 2)))
            elif choice == 2:
                device.set(virtio.QUEUE_RESETS, rng.choice((0, 1, 1)))
            elif choice == 3:
                device.set(virtio.QUEUE_VECTOR, rng.choice((0, 1, 2, 0xffff)))
            else:
                device.set_area(rng.randrange(3),
                                self.aim_area(device).address)

    def wild_bar(self, device):
        """Move BARs over one another and over RAM, one half at a time."""
        rng = self.rng
        self.dirty = True
        bar = rng.choice((device.window_bar, device.window_bar,
                          device.registers_bar, device.msix_bar))
        if bar == device.window_bar:
            place = rng.choice((0, device.homes()[device.registers_bar]
                                & -WINDOW, self.lot(device)))
        else:
            place = rng.choice((
                0, PAGE * 4 * rng.randrange(RAM_SIZE // PAGE // 4),
                rng.choice(self.devices).home, device.window(),
                rng.choice(self.devices).homes()[device.registers_bar]))
        choice = rng.random()
        if choice < 0.6:
            device.move(bar, place)
        elif choice < 0.8 and bar == device.window_bar:
            # The other half leads no other window to this place.
            device.function.write(0x14 + 4 * bar, 4, 0x100 + device.index)
        else:
            device.function.write(0x10 + 4 * bar, 4, 0xffffffff)
            if bar != device.msix_bar:
                device.function.write(0x14 + 4 * bar, 4, 0xffffffff)
            self.wild_notify(device)
            device.move(bar, place)
        device.refresh()

    def wild_command(self, device):
        self.dirty = True
        device.function.write(4, 2, self.rng.choice((0, 2, 4, 6, 6, 6, 0x406)))
        if self.rng.random() < 0.5:
            self.wild_notify(device)
            device.function.write(4, 2, 6)
        device.refresh()

    def wild_reset(self, device):
        """A function level reset or one of the bus."""
        self.dirty = True
        if device.express and self.rng.random() < 0.5:
            control = device.function.read(device.express + 8, 2)
            device.function.write(device.express + 8, 2, control | 1 << 15)
        elif device.bridge:
            device.bridge.write(0x3e, 2, 1 << 6)
            device.bridge.write(0x3e, 2, 0)
        device.refresh()
        if self.rng.random() < 0.5:
            device.put_home()

    def wild_power(self, device):
        if device.power:
            self.dirty = True
            device.function.write(device.power + 4, 2, self.rng.randrange(4))
            self.wild_notify(device)
            device.function.write(device.power + 4, 2, 0)
            device.refresh()

    def wild_msix(self, device):
        rng = self.rng
        device.function.write(device.msix + 2, 2, rng.choice(
            (0, 0x8000, 0x8000, 0xc000)))
        device.set(virtio.CONFIG_VECTOR, rng.choice((0, 1, 2, 0xffff)))
        if device.is_home() and rng.random() < 0.5:
            table = device.bars[device.msix_bar] + 16 * rng.randrange(4)
            for offset, value in ((0, 0xfee00000 + 4 * rng.randrange(1 << 18)),
                                  (4, 0), (8, rng.getrandbits(32)),
                                  (12, rng.randrange(2))):
                self.machine.qtest.write(table + offset, 4, value)

    def wild_capability(self, device):
        """The register window of the PCI_CFG capability, misused."""
        rng = self.rng
        at = device.structures[virtio.CONFIG_ACCESS][0]
        device.function.write(at + 4, 1, rng.choice(
            (device.window_bar, device.registers_bar, rng.randrange(256))))
        device.function.write(at + 8, 4, rng.choice(
            (0, 0x3000, rng.randrange(WINDOW), rng.getrandbits(32))))
        device.function.write(at + 12, 4, rng.choice(
            (1, 2, 4, 0, 3, 8, rng.getrandbits(32))))
        device.function.read(at + 16, rng.choice((1, 2, 4)))
        # Features and status have rules of their own; see wild_status.
        if device.function.read(at + 4, 1) != device.registers_bar:
            device.function.write(at + 16, 4, rng.getrandbits(32))
        self.device_registers(device)

    def device_registers(self, device):
        rng = self.rng
        if virtio.DEVICE in device.structures:
            offset = rng.randrange(64)
            device.access(virtio.DEVICE, offset, rng.choice((1, 2, 4)),
                          rng.getrandbits(32))
            device.access(virtio.DEVICE, offset, rng.choice((1, 2, 4)))

    def wild_cpu(self, device):
        """The CPU may touch the window meanwhile."""
        if device.is_home():
            self.machine.qtest.write(
                device.window() + self.rng.randrange(PAGE, HALF - 8),
                self.rng.choice((1, 2, 4, 8)), 0x5a)

    def wild_host(self, device):
        choice = self.rng.randrange(4)
        if choice == 0:
            self.machine.qmp.run('stop')
            self.wild_chain(device)
            self.machine.qtest.flush()
            self.machine.qmp.run('cont')
        elif choice == 1:
            self.machine.qtest.send(
                f'clock_step {self.rng.randrange(1 << 30)}')
        else:
            device.model.request(self.rng).provoke()
