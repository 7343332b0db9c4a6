# SPDX-License-Identifier: GPL-2.0-or-later
"""What every attack builds on: addresses, sessions, and what must hold."""

import collections
import os
import random
import sys

import models
import virtio
from machine import BRIDGE_MEMORY, MIB, RAM_SIZE, Function, Gone, Machine
from virtio import BUFFERS, HALF, PAGE, WINDOW, Spot

RAM_SECRET = b'\xd3RAM-\xb5\xe7\xf1'
# Windows come to lie over the first half of RAM, too.
PRIVATE_RAM = RAM_SIZE // 2
DMA_RAM = PRIVATE_RAM + 4 * MIB
SHARED = 0x90000000
TOP = 1 << 64


class Attacker:
    def __init__(self, options, folder):
        self.rng = random.Random(options.seed)
        self.options = options
        self.problems = collections.defaultdict(list)
        self.counts = collections.Counter()
        self.dirty = True
        rng = self.rng
        kind = options.machine or rng.choice(('pc', 'q35'))
        self.models = [model(folder, index) for index, model
                       in enumerate(models.SETS[options.devices])]
        arguments = []
        if kind == 'q35':
            arguments += ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-'
                                     'support=off']
        for index, model in enumerate(self.models):
            model.required = (options.required == 'on' or
                              options.required == 'mixed' and index % 2 == 0)
            model.memdev = not isinstance(model, models.Rng)
            model.prepare(rng)
            arguments += model.arguments()
            if kind == 'q35':
                arguments += ['-device', f'pcie-root-port,id=port{index},'
                                         f'chassis={index},slot={index},'
                                         f'addr={index + 4:#x}']
            if model.memdev:
                path = os.path.join(folder, f'window{index}')
                with open(path, 'wb') as file:
                    file.truncate(WINDOW)
                arguments += ['-object', f'memory-backend-file,share=on,'
                                         f'id=window{index},mem-path={path},'
                                         f'size={WINDOW}']
            for properties in self.plugs(model, index, kind):
                arguments += ['-device', models.as_json(properties)]
        print(f'# machine {kind}')
        self.machine = Machine(options.qemu, folder, kind, RAM_SECRET,
                               arguments)
        self.devices = []
        try:
            self.find_devices()
        except BaseException:
            self.machine.stop()
            raise

    def plugs(self, model, index, kind):
        """The device_add arguments of a device and of those on its bus."""
        place = ({'bus': 'pci.0', 'addr': f'{index + 0x10:#x}'}
                 if kind == 'pc' else {'bus': f'port{index}'})
        window = ({'swiotlb-memdev': f'window{index}'} if model.memdev
                  else {'swiotlb-size': WINDOW})
        return [{'driver': model.type, 'id': model.id, 'packed': True,
                 'swiotlb': True, 'swiotlb-required': model.required,
                 **place, **window, **model.options}, *model.children()]

    def find_devices(self):
        machine = self.machine
        self.bridges = []
        for index, model in enumerate(self.models):
            if machine.kind == 'q35':
                bridge = Function(machine, 0, index + 4)
                self.bridges.append(bridge)
                place = (index + 1, 0)
            else:
                bridge = None
                place = (0, index + 0x10)
            model.attach(machine)
            self.devices.append(virtio.Device(machine, model, index, *place,
                                              bridge))
        machine.set_up_bridges(self.bridges)
        for device in self.devices:
            device.discover()
            self.fill(device)

    def fill(self, device):
        """Noise where drivers play, a secret where nobody may go."""
        device.secret = b'\xc7WIN%d\xa9\xbd\xe3' % device.index
        device.quiet = device.secret * (WINDOW // 8)
        device.area[:] = device.quiet
        device.area[PAGE:HALF] = models.noise(self.rng, HALF - PAGE)

    def problem(self, test, text):
        self.problems[test].append(text)
        print(f'# {test}: {text}')
        if self.options.verbose:
            print('#   after ' + '; '.join(list(self.machine.trace)[-30:]))
        sys.stdout.flush()

    def note(self, *words):
        self.counts['operations'] += 1
        self.machine.trace.append(' '.join(
            f'{word:#x}' if isinstance(word, int) else str(word)
            for word in words))

    # Addresses

    def tame(self, address, length):
        """Keep it out of the quiet parts of a window wherever that goes."""
        offset = address % WINDOW
        if offset + length > WINDOW or PAGE <= offset <= HALF - length:
            return address
        if length <= HALF - PAGE:
            offset -= self.rng.randrange(PAGE, HALF - length + 1) & -16
        else:
            offset -= WINDOW - 16
        return address - offset

    def illegal(self, device, length):
        """A spot outside the window as it lies now."""
        rng = self.rng
        base = device.window()
        other = rng.choice([d for d in self.devices if d is not device])
        choice = rng.randrange(10)
        if choice < 3:
            address = rng.randrange(PRIVATE_RAM, RAM_SIZE - length)
            if rng.random() < 0.5:
                address &= ~15
            return Spot(address, machine=self.machine)
        if choice == 3:
            return Spot(RAM_SIZE - rng.randrange(1, length + 1))
        if choice == 4:
            return Spot(other.home + HALF + rng.randrange(HALF // 2))
        if choice == 5:
            victim = rng.choice((device, other))
            address = rng.choice(list(victim.homes().values())[1:])
            return Spot(address + rng.randrange(PAGE))
        if choice == 6:
            return device.spot(WINDOW - rng.randrange(length))
        if choice == 7:
            return Spot(rng.choice((base - rng.randrange(1, length + 1),
                                    TOP - rng.randrange(1, 4 * PAGE))))
        if choice == 8:
            return Spot(rng.choice((
                base + PAGE ^ 1 << rng.randrange(20, 64),
                self.tame(rng.randrange(TOP), length))))
        return Spot(rng.choice((
            0xfee00000, 0xfec00000, 0xfed00000, 0xfffc0000, 0xa0000,
            0xffff0000, 0xe0000, 0, BRIDGE_MEMORY[1], 0xb0000000,
            self.lot(device)))
            + 16 * rng.randrange(256, 320))

    def too_long(self, device, length):
        """A spot as above; or one inside, but with more than fits there."""
        if self.rng.random() < 0.2:
            spot = device.spot(self.rng.randrange(PAGE, HALF - length))
            return spot, self.rng.choice((WINDOW, (1 << 31) - PAGE))
        return self.illegal(device, length), length

    def lot(self, device):
        """Where else the window can go; never home to another window."""
        rng = self.rng
        return rng.choice((
            rng.randrange(1, PRIVATE_RAM // MIB) * MIB,
            SHARED + rng.randrange(3) * MIB,
            device.home + rng.randrange(32, 256) * MIB,
            rng.choice([d for d in self.devices if d is not device]).home
            + 16 * MIB,
            BRIDGE_MEMORY[0] + device.index * MIB,
            0xfed00000, 0xfee00000, TOP - WINDOW, TOP - 2 * WINDOW,
            1 << rng.randrange(37 + 8, 64)))

    def aim(self, device, length, align=1):
        """Any spot, good or bad."""
        choice = self.rng.random()
        if choice < 0.5 and length <= HALF - PAGE:
            offset = self.rng.randrange(PAGE, HALF - length + 1)
            return device.spot(offset & -align)
        if choice < 0.85:
            spot = self.illegal(device, max(1, min(length, PAGE)))
        else:
            spot = Spot(self.rng.choice((
                self.lot(device), self.rng.randrange(PRIVATE_RAM),
                self.rng.randrange(1 << self.rng.randrange(12, 65)))))
        spot = spot.plus(-(spot.address % align))
        if self.never_mapped(device, spot.address, length):
            return spot
        return Spot(self.tame(spot.address, length) % TOP)

    def aim_area(self, device):
        """As above, for an area of a queue of unknown size."""
        longest = 0x4400
        spot = self.aim(device, longest, 16)
        offset = spot.address % WINDOW
        if (self.never_mapped(device, spot.address, longest) or
                offset <= HALF - longest):
            return spot
        return spot.plus(WINDOW - 2 - offset)

    def in_private_ram(self, address, length):
        return PRIVATE_RAM <= address <= RAM_SIZE - length

    def never_mapped(self, device, address, length):
        """Whether the device's window is never moved there."""
        return self.in_private_ram(address, length) or any(
            other.home + PAGE <= address <= other.home + WINDOW - length
            for other in self.devices if other is not device)

    # A session: from reset to DRIVER_OK

    def restore(self):
        """All BARs home again."""
        if self.dirty:
            self.dirty = False
            for device in self.devices:
                device.put_home()

    def session(self, device, areas=None, features=virtio.SWIOTLB):
        """Whether the device now runs with these areas of its queues."""
        rng = self.rng
        device.by_config = rng.random() < 0.3
        self.note('session', device.index, device.window())
        if not device.reset():
            self.problem('good_request_works_after_reset',
                         f'{device.model.type} does not finish its reset')
            return False
        for bit in (virtio.PACKED, virtio.INDIRECT, virtio.EVENT_IDX,
                    virtio.QUEUE_RESET, device.model.features):
            features |= bit * rng.randrange(2)
        features |= virtio.VERSION_1 | virtio.PLATFORM
        features &= device.offered()
        self.note('features', features)
        device.packed = bool(features & virtio.PACKED)
        device.features = features
        if not device.negotiate(features):
            return False
        self.add_queues(device, areas or {})
        device.run()
        return True

    def add_queues(self, device, areas, base=None):
        size = self.rng.choice((32, 64, 256))
        for index in device.model.queues:
            device.add_queue(index, size, device.packed,
                             areas.get(index) or device.areas(index, base))

    def lay_out(self, device, request, base=None):
        """The request's (spot, length, device writes), in the window."""
        base = base or device.spot(0)
        segments = []
        at = self.rng.randrange(BUFFERS, HALF - 0x10000)
        for data in request.outputs:
            segments.append((base.plus(at), len(data), False))
            base.plus(at).put(data)
            at += len(data) + self.rng.randrange(64)
        for length in request.inputs:
            segments.append((base.plus(at), length, True))
            base.plus(at).put(models.noise(self.rng, length))
            at += length + self.rng.randrange(64)
        return segments

    def offer(self, queue, segments, table=None):
        entries = [(spot.address, length, writable)
                   for spot, length, writable in segments]
        if table:
            table.put(queue.table(entries))
            queue.add([(table.address, 16 * len(entries), False)],
                      virtio.TABLE)
        else:
            queue.add(entries)

    def table_place(self, device, queue, base=None):
        """Where a good indirect table is, or none where none is allowed."""
        if (not device.features & virtio.INDIRECT or
                self.rng.random() < 0.5):
            return None
        return device.areas(queue.index, base)[2].plus(PAGE)

    def kick(self, device, queue, request):
        """Tell the device of what was offered."""
        device.notify(queue)
        self.machine.qtest.flush()
        request.provoke()

    def transact(self, device, base=None, request=None):
        """A good request; why it failed, or none."""
        request = request or device.model.request(self.rng)
        queue = device.queues[request.queue]
        before = queue.used()
        chains = [self.lay_out(device, request, base)
                  for _ in range(request.copies)]
        for segments in chains:
            self.offer(queue, segments,
                       self.table_place(device, queue, base)
                       if request.copies == 1 else None)
        self.kick(device, queue, request)
        what = f'{device.model.type} queue {queue.index}'
        if not self.machine.wait(lambda: queue.used() != before):
            return (f'{what}: not done, status {device.get(virtio.STATUS):#x}, '
                    f'{device.count_rejected()} rejected')
        answers = [bytes(spot.get(length))
                   for spot, length, writable in chains[0] if writable]
        if not request.check(answers):
            return f'{what}: wrong answer {[a[:16] for a in answers]}'
        return None

    # Whole devices

    def system_reset(self, device=None):
        self.note('system_reset')
        self.machine.qmp.events.clear()
        self.machine.qtest.flush()
        self.machine.qmp.run('system_reset')
        self.machine.wait(lambda: self.machine.qmp.seen('RESET', {}))
        self.machine.set_up_bridges(self.bridges)
        for other in self.devices:
            other.rejected = 0
            if other.count_rejected():
                self.problem('refused_access_is_counted_and_needs_reset',
                             f'{other.model.type}: the count outlives the '
                             'reset of the machine')
        self.dirty = True
        self.restore()

    def replug(self, device):
        """Out and in again, with requests under way."""
        machine = self.machine
        model = device.model
        if not model.removable:
            return
        self.note('replug', device.index)
        machine.qtest.flush()
        machine.qmp.events.clear()
        asked = not device.bridge or self.rng.random() < 0.7
        if asked:
            machine.qmp.run('device_del', id=model.id)
            self.wild_notify(device)
        if device.bridge:
            slot = device.bridge.capability(0x10) + 0x18
            device.bridge.write(slot, 2, 0x100)
            device.bridge.write(slot, 2, 0x700)
        else:
            machine.qtest.out(0xae10, 4, 0)
            machine.qtest.out(0xae08, 4, 1 << device.slot)
        gone = {'device': model.id}
        if not machine.wait(
                lambda: machine.qmp.seen('DEVICE_DELETED', gone) and
                (model.memdev or not machine.memfds(WINDOW))):
            self.problem('unplugged_device_leaves_nothing_behind',
                         f'{model.type} is held by something')
            raise Gone('a device does not go')
        if device.bridge:
            device.bridge.write(slot, 2, 0x100)
            machine.qtest.flush()
        for properties in self.plugs(model, device.index, machine.kind):
            answer = machine.qmp.ask('device_add', **properties)
            if 'error' in answer:
                self.problem('unplugged_device_leaves_nothing_behind',
                             answer['error']['desc'])
                raise Gone('a device does not come back')
        device.rejected = 0
        device.queues = {}
        device.discover()
        self.fill(device)
        self.counts['replugs'] += 1

    # What must hold at any time

    def look_for_secrets(self, device, data, colours=False):
        """Three of four bytes remain of a secret in a picture."""
        secrets = [('guest RAM', RAM_SECRET)]
        secrets += [(f'window {other.index}', other.secret)
                    for other in self.devices]
        for where, secret in secrets:
            if colours:
                secret = secret[0:3] + secret[4:7]
            if data.find(secret) >= 0:
                self.problem('hostile_driver_leaks_no_secret',
                             f'{device.model.type} shows {where}')

    def check(self):
        self.machine.qtest.flush()
        changed = self.machine.changed_ram()
        if changed is not None:
            self.problem('hostile_driver_changes_no_guest_ram',
                         f'at {changed:#x}')
            self.machine.mirror[:] = self.machine.ram[:]
        for device in self.devices:
            for part in (slice(0, PAGE), slice(HALF, WINDOW)):
                if device.area[part] != device.quiet[part]:
                    pairs = zip(device.area[part], device.quiet[part])
                    place = [a == b for a, b in pairs].index(False)
                    place += part.start
                    self.problem('hostile_driver_changes_no_foreign_window',
                                 f'{device.model.type} {place:#x}: '
                                 f'{device.area[place:place + 16].hex()}')
                    device.area[part] = device.quiet[part]
            data = device.model.output()
            self.look_for_secrets(device, data)
            if isinstance(device.model, models.Blk):
                if data.find(bytes(64)) >= 0:
                    self.problem('refused_request_reaches_no_backend',
                                 'zeros are in the disk')
            rejected = device.count_rejected()
            if rejected < device.rejected:
                self.problem('refused_access_is_counted_and_needs_reset',
                             f'{device.model.type}: the count decreased')
            self.counts['rejected'] += rejected - device.rejected
            device.rejected = rejected
            device.model.forget()
        for line in self.machine.complaints()[:3]:
            self.problem('qemu_survives', line)
        self.counts['checks'] += 1

    def finish(self):
        status = self.machine.stop()
        if status:
            self.problem('qemu_survives', f'exit status {status}')
        for line in self.machine.complaints()[:3]:
            self.problem('qemu_survives', line)
        counts = self.counts
        counts['qtest commands'] = self.machine.qtest.commands
        print('#', ', '.join(f'{value} {name}'
                             for name, value in sorted(counts.items())))
        seconds = self.options.seconds
        for name in ('good', 'refused', 'rejected', 'operations'):
            if counts[name] < seconds * (20 if name == 'operations' else 1):
                self.problems['attacks_are_many'].append(name)
