# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks that make one thing of a good request wrong."""

import models
import virtio
from attacker import DMA_RAM, PRIVATE_RAM, SHARED, Attacker
from machine import MIB
from virtio import PICTURE, WINDOW, Spot


class Plain(Attacker):
    def good(self, device, restore=True):
        if restore:
            self.restore()
        if self.session(device):
            error = self.transact(device)
        else:
            error = f'{device.model.type}: FEATURES_OK does not stick'
        self.counts['good'] += 1
        if error:
            self.problem('good_request_works_after_reset', error)

    def good_elsewhere(self, device):
        """The window works wherever its BAR is, be it over RAM."""
        self.restore()
        self.dirty = True
        device.move(device.window_bar, self.rng.choice((
            self.rng.randrange(1, PRIVATE_RAM // MIB) * MIB,
            device.home + 64 * MIB, SHARED, 1 << 45)))
        device.refresh()
        self.good(device, restore=False)

    def seen(self, device, queue):
        """What changes when the device answers or reaches its backend."""
        return queue.used(), device.model.state()

    def expect_nothing(self, device, queue, request, offer, why):
        before = self.seen(device, queue)
        offer()
        self.kick(device, queue, request)
        self.machine.wait(lambda: False, 0.01)
        if self.seen(device, queue) != before:
            self.problem('refused_request_reaches_no_backend',
                         f'{device.model.type}: {why}')

    def expect_refusal(self, device, queue, request, offer, rejected=None,
                       interrupt=False):
        """What must happen once the device sees this offer."""
        if rejected is None:
            rejected = device.count_rejected()
        if interrupt:
            device.access(virtio.ISR, 0, 1)
        before = self.seen(device, queue)
        offer()
        self.kick(device, queue, request)
        what = f'{device.model.type} queue {queue.index}'
        refused = self.machine.wait(device.needs_reset)
        now = device.count_rejected()
        if not refused or now <= rejected:
            self.problem('refused_access_is_counted_and_needs_reset',
                         f'{what}: status {device.get(virtio.STATUS):#x}, '
                         f'rejected {rejected} -> {now}')
        elif interrupt and not self.machine.wait(
                lambda: device.access(virtio.ISR, 0, 1) & 2):
            self.problem('refused_access_is_counted_and_needs_reset',
                         f'{what}: no configuration interrupt')
        if self.seen(device, queue) != before:
            self.problem('refused_request_reaches_no_backend', what)
        self.counts['refused'] += 1

    def offer_all(self, device, queue, request, base=None):
        for _ in range(request.copies):
            self.offer(queue, self.lay_out(device, request, base),
                       self.table_place(device, queue, base)
                       if request.copies == 1 else None)

    def attack_request(self, device):
        """One buffer, one indirect table or an entry of one is outside."""
        self.restore()
        if not self.session(device):
            return
        request = device.model.request(self.rng)
        # Some buffers of many would be left over for the attack.
        if request.copies == 1 and self.rng.random() < 0.3:
            error = self.transact(device, request=request)
            if error:
                self.problem('good_request_works_after_reset', error)
        queue = device.queues[request.queue]

        def offer():
            for _ in range(request.copies):
                segments = self.lay_out(device, request)
                table = self.table_place(device, queue)
                if table and self.rng.random() < 0.5:
                    table = self.illegal(device, 16 * len(segments))
                    self.note('table', device.index, table.address)
                else:
                    victim = self.rng.randrange(len(segments))
                    _, length, writable = segments[victim]
                    spot, length = self.too_long(device, length)
                    if not writable:
                        spot.put(request.outputs[victim])
                    segments[victim] = spot, length, writable
                    self.note('buffer', device.index, victim, spot.address,
                              length)
                self.offer(queue, segments, table)
        self.expect_refusal(device, queue, request, offer, interrupt=True)

    def attack_ring(self, device):
        """One area of the queue is outside."""
        self.restore()
        request = device.model.request(self.rng)
        areas = device.areas(request.queue)
        which = self.rng.randrange(3)
        # As short as the shortest area: an event suppression structure
        areas[which] = self.illegal(device, 4)
        self.note('area', device.index, which, areas[which].address)
        rejected = device.count_rejected()
        if self.session(device, {request.queue: areas}):
            queue = device.queues[request.queue]
            self.expect_refusal(
                device, queue, request,
                lambda: self.offer_all(device, queue, request), rejected)

    def attack_moved_window(self, device):
        """The window has gone when the device is told of an offer there."""
        self.restore()
        if not self.session(device):
            return
        request = device.model.request(self.rng)
        queue = device.queues[request.queue]
        self.dirty = True
        how = self.rng.choice(('move', 'unmap', 'decode', 'master'))
        self.note(how, device.index)

        def offer():
            # An I/O thread may look at the queue without a notification.
            if how == 'move':
                device.move(device.window_bar, self.lot(device))
            elif how == 'unmap':
                device.move(device.window_bar, 0)
            elif how == 'decode':
                device.function.write(4, 2, virtio.MASTER)
            else:
                device.function.write(4, 2, virtio.MEMORY)
            self.machine.qtest.flush()
            self.offer_all(device, queue, request)
            device.refresh()
        # Without bus mastering it is disabled, and does not even try.
        if how == 'master':
            self.expect_nothing(device, queue, request, offer,
                                'bus mastering is off')
        else:
            self.expect_refusal(device, queue, request, offer)

    def decline(self, device):
        """A driver that knows nothing of bit 27 and has all in RAM."""
        self.restore()
        base = Spot(DMA_RAM, machine=self.machine)
        self.note('decline', device.index)
        sticks = self.session(device, {
            index: device.areas(index, base)
            for index in device.model.queues}, features=0)
        self.counts['declined'] += 1
        if sticks == device.required:
            self.problem('declined_feature_is_honoured',
                         f'{device.model.type}: FEATURES_OK is {sticks}')
        if not device.required:
            error = self.transact(device, base)
            device.reset()
            end = DMA_RAM + WINDOW
            self.machine.mirror[DMA_RAM:end] = self.machine.ram[DMA_RAM:end]
            if error:
                self.problem('declined_feature_is_honoured', error)
            return
        self.add_queues(device, {}, base)
        device.set(virtio.STATUS, self.rng.choice((7, 15, 4, 5, 6, 12)))
        self.serve_ram(device, 'declined, yet served')

    def serve_ram(self, device, why):
        """A request in RAM, which nobody may serve."""
        request = device.model.request(self.rng)
        queue = device.queues[request.queue]
        base = Spot(DMA_RAM, machine=self.machine)
        self.expect_nothing(
            device, queue, request,
            lambda: self.offer_all(device, queue, request, base), why)

    def change_mind(self, device):
        """A driver that has accepted bit 27 tries to be free of it."""
        self.restore()
        if not self.session(device):
            return
        self.note('change mind', device.index)
        for _ in range(self.rng.randrange(1, 5)):
            if self.rng.random() < 0.5:
                device.accept(device.features & ~virtio.SWIOTLB)
            else:
                device.set(virtio.STATUS, self.rng.choice(
                    (3, 7, 11, 15, 1, 2, 8)))
        device.run()
        if self.rng.random() < 0.5:
            self.add_queues(device, {}, Spot(DMA_RAM, machine=self.machine))
        self.serve_ram(device, 'its driver changed its mind')

    def picture(self, device):
        """A picture in the guest's memory is not sent through a queue."""
        if not isinstance(device.model, models.Gpu):
            return
        self.restore()
        if not self.session(device):
            return
        good = self.rng.random() < 0.5
        entries = []
        for line in range(8):
            spot = device.spot(PICTURE + line * 2048)
            spot.put(models.noise(self.rng, 2048))
            entries.append([spot, 2048])
        shown = b''.join(spot.get(length) for spot, length in entries)
        if not good:
            entries[self.rng.randrange(8)] = self.too_long(device, 2048)
        rejected = device.count_rejected()
        queue = device.queues[0]
        for command in device.model.commands(
                [(spot.address, length) for spot, length in entries]):
            request = models.Request(0, [command], [24])
            used = queue.used()
            self.offer(queue, self.lay_out(device, request))
            device.notify(queue)
            if not self.machine.wait(lambda: queue.used() != used or
                                     device.needs_reset()):
                self.problem('good_request_works_after_reset',
                             'picture: no answer')
                return
        self.counts['good' if good else 'refused'] += 1
        screen = device.model.screen()
        if good:
            expected = bytearray(shown)
            del expected[3::4]
            if screen != expected:
                self.problem('good_request_works_after_reset',
                             'the picture is not the one in the window')
        else:
            self.machine.wait(device.needs_reset, 1)
            self.look_for_secrets(device, screen, colours=True)
            if (device.count_rejected() == rejected or
                    not device.needs_reset()):
                self.problem('refused_access_is_counted_and_needs_reset',
                             'picture outside the window')

    def play(self, device):
        """Sound buffers stay with the device for a while."""
        if not isinstance(device.model, models.Sound):
            return
        self.restore()
        if not self.session(device):
            return
        queue = device.queues[0]
        for command in device.model.commands():
            self.offer(queue, self.lay_out(
                device, models.Request(0, [command], [4])))
            device.notify(queue)
        queue = device.queues[2]
        for _ in range(4):
            segments = self.lay_out(device, models.Request(
                2, [bytes(4), models.noise(self.rng, 4096)], [8]))
            if self.rng.random() < 0.2:
                segments[1] = (*self.too_long(device, 4096), False)
            self.offer(queue, segments)
            device.notify(queue)
            self.machine.qtest.send(
                f'clock_step {self.rng.randrange(30_000_000)}')
