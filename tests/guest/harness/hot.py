# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that come and go while the guest runs."""

from . import devices, host, tap as taps

NO_ROOM = 'has no room for a window'


def add_image(machine, image):
    """The block node NAME-image, for any number of devices in turn."""
    name = image.path.stem
    machine.qmp('blockdev-add', driver='raw', node_name=f'{name}-image',
                file={'driver': 'file', 'filename': str(image.path)})
    return f'{name}-image'


def plug(machine, qdev_id, driver, bus, mib, **options):
    machine.qmp('device_add', driver=driver, id=qdev_id, bus=bus,
                swiotlb=True, swiotlb_size=mib << 20, **options)


def bound(machine, qdev_id, seconds=30):
    """The new device's name in the guest, once a driver has it."""
    at = machine.address(qdev_id)
    if machine.run(f'await {seconds} has_driver {at}', 2 * seconds)[0]:
        machine.fail(f'no driver for {qdev_id} at {at}')
    return at


def unplug(machine, qdev_id, seconds=40):
    machine.events.clear()
    machine.qmp('device_del', id=qdev_id)
    machine.event('DEVICE_DELETED', seconds, device=qdev_id)


def warnings(machine):
    """How often QEMU warned that a port is too small."""
    return machine.complaints().count(NO_ROOM)


def read_and_write(tap, machine, at, image, what):
    """A disk's work, verified in the guest."""
    _, lines = machine.run(
        f'raw {at} {image.mib} {host.md5(image.data)}', 60)
    tap.equal(devices.results(tap, lines, what), 3,
              f'{what}: each step of the work is reported')
    return devices.sums(lines, 'raw')


def mappings(machine):
    """How many ranges of device memory the guest's kernel has mapped."""
    return machine.must('grep -c phys= /proc/vmallocinfo')


class Quiet(taps.Tap):
    """Counts, and prints nothing but what failed."""

    def ok(self, good, name, detail=''):
        self.count += 1
        if not good:
            self.failed += 1
            self.note(f'failed: {name}')
            if detail:
                self.note(detail)
        return bool(good)
