# SPDX-License-Identifier: GPL-2.0-or-later
"""The devices of a guest, all at work at once, and what must hold of each."""

import re
import socket

from . import host

GIB4 = 1 << 32

# Feature bits, by their names in the specification.
SWIOTLB = 27
INDIRECT_DESC = 28
VERSION_1 = 32
ACCESS_PLATFORM = 33
RING_PACKED = 34


class Device:
    """A PCI device of the guest, and the work that the guest does with it.

    steps  how the names of that work's steps begin
    """

    def __init__(self, qdev_id, qtype, options='', modules=(), before=(),
                 steps=None):
        self.qdev_id = qdev_id
        self.steps = steps or qdev_id
        self.qtype = qtype
        self.options = options
        self.modules = modules
        self.before = before

    def arguments(self, common, memory=None):
        """`memory`: a file for the window, that the host can look into."""
        parts = [self.qtype, f'id={self.qdev_id}', self.options, common]
        before = self.before
        if memory:
            parts.append(f'swiotlb-memdev={self.qdev_id}-window')
            before = [*before, '-object', file_backend(
                f'{self.qdev_id}-window', memory, '64M')]
        return [*before, '-device', ','.join(p for p in parts if p)]


def file_backend(name, path, size):
    """Memory that the host can read in a file."""
    return f'memory-backend-file,id={name},mem-path={path},size={size},share=on'


def window_options(size, packed=False):
    """`size` None: an ordinary device behind the platform's DMA rules."""
    options = f'packed={"on" if packed else "off"}'
    if size is None:
        return f'iommu_platform=on,disable-legacy=on,{options}'
    if size == 'pool':
        return options
    if size == 'file':
        return f'swiotlb=on,{options}'
    return f'swiotlb=on,swiotlb-size={size},{options}'


def placement(place):
    """Machine arguments that make firmware put windows below or above 4 GiB.

    Firmware keeps 64-bit BARs below 4 GiB while they fit there, so a BAR that
    can not is what moves all of them.
    """
    if place == 'below':
        return []
    return ['-device', 'pci-testdev,membar=8G']


class Fleet:
    """One device of each kind, each with its work.

    window  its size; `file` for files that the host can look into; None for
            ordinary devices without; `pool` for virtio-mmio, where the machine
            has one
    ports   each device has a root port of its own, and so is PCI Express
    """

    def __init__(self, folder, window, packed=False, queues=1, disk_mib=64,
                 net_mib=16, raw_mib=16, share_mib=8, ports=False):
        pci = window != 'pool'
        bus = 'pci' if pci else 'device'
        self.folder = folder
        self.window = window
        self.packed = packed
        self.queues = queues
        self.disk_mib = disk_mib
        self.net_mib = net_mib
        self.share_mib = share_mib
        self.ext4 = host.Ext4(folder, 'disk')
        self.raw = host.Raw(folder, 'scsi', raw_mib)
        self.share = host.Share(folder, 'share', share_mib)
        self.entropy = host.Entropy(folder, 'rng')
        self.port = host.Port()
        self.server = host.Server(net_mib)
        self.port_end, self.port_fd = socket.socketpair()
        self.rng_blocks = 256
        self.ports = ports
        self.devices = [
            Device('disk', f'virtio-blk-{bus}',
                   f'drive=disk-image,num-queues={queues}'
                   f'{",iothread=disk-thread" if pci else ""}',
                   ['virtio_blk', 'ext4', 'crc32c_generic'],
                   ['-object', 'iothread,id=disk-thread',
                    *host.drive('disk', self.ext4.path)], 'ext4'),
            Device('net', f'virtio-net-{bus}',
                   f'netdev=user{",romfile=" if pci else ""}',
                   ['virtio_net'], ['-netdev', 'user,id=user']),
            Device('rng', f'virtio-rng-{bus}', 'rng=source', ['virtio_rng'],
                   ['-object', 'rng-random,id=source,'
                    f'filename={self.entropy.path}']),
            Device('serial', f'virtio-serial-{bus}', '', ['virtio_console']),
            Device('scsi', f'virtio-scsi-{bus}', f'num_queues={queues}',
                   ['virtio_scsi', 'sd_mod'],
                   host.drive('scsi', self.raw.path), 'raw'),
            Device('p9', f'virtio-9p-{bus}', 'fsdev=share,mount_tag=share',
                   ['9p', '9pnet_virtio'],
                   ['-fsdev', 'local,id=share,security_model=none,'
                    f'path={self.share.path}'])]

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *exc):
        self.server.__exit__(*exc)
        self.port_end.close()
        self.port_fd.close()

    def memory(self, qdev_id):
        """The file that is a device's window."""
        return self.folder / f'{qdev_id}.window'

    def arguments(self):
        common = window_options(self.window, self.packed)
        args = []
        for i, device in enumerate(self.devices, 1):
            if self.ports:
                port = f'{device.qdev_id}-port'
                args += ['-device', f'pcie-root-port,id={port},chassis={i}']
                device.options = ','.join(
                    o for o in (device.options, f'bus={port}') if o)
            memory = (self.memory(device.qdev_id) if self.window == 'file'
                      else None)
            args += device.arguments(common, memory)
        return args + [
            '-chardev', f'socket,id=port,fd={self.port_fd.fileno()}',
            '-device', 'virtserialport,bus=serial.0,chardev=port,name=echo',
            '-device', 'scsi-hd,bus=scsi.0,drive=scsi-image']

    def modules(self):
        return [name for device in self.devices for name in device.modules]

    def work(self, machine):
        """The guest's commands, one for each device."""
        at = machine.address
        return [
            f"ext4 {at('disk')} {self.disk_mib}",
            f"net {at('net')} {self.server.port} {self.net_mib} "
            f'{host.md5(self.server.data)}',
            f'rng {self.rng_blocks}',
            f'serial echo {len(self.port.data)} {host.md5(self.port.data)}',
            f"raw {at('scsi')} {self.raw.mib} {host.md5(self.raw.data)}",
            f'p9 share {self.share_mib}']

    def works(self, tap, machine, what, rejected=None):
        """All devices do a full round of work, at once."""
        work = ' '.join(f"'{line}'" for line in self.work(machine))
        self.port.start(self.port_end)
        _, lines = machine.run(f'at_once {work}', 120)
        tap.equal(results(tap, lines, what), 20,
                  f'{what}: each step of the work is reported')
        self.port.check(tap, what)
        self.check_rejected(tap, machine, what, rejected)

    def check_rejected(self, tap, machine, what, rejected=None):
        """`rejected`: how often, by device; None: never."""
        for device in self.devices:
            name = device.qdev_id
            tap.equal(machine.rejected(name),
                      rejected[name] if rejected else 0,
                      f'{what}: {name} had nothing more to reject')


def hold(machine, disk, **limit):
    """Let all of a disk's requests wait but `bps` bytes or `iops` a second.

    0: none waits.
    """
    none = dict.fromkeys(('bps', 'bps_rd', 'bps_wr', 'iops', 'iops_rd',
                          'iops_wr'), 0)
    answer = machine.ask('block_set_io_throttle', {
        'id': f'/machine/peripheral/{disk}/virtio-backend', **none, **limit})
    if 'error' in answer:
        machine.fail(f'cannot hold {disk}: {answer}')


def as_numbers(lines):
    """What the scenario `numbers` printed: {name: number}."""
    return {name: int(value) for name, value in map(str.split, lines)}


def numbers(machine, qdev_id):
    """What our driver counts for a device."""
    return as_numbers(machine.must(f'numbers {machine.address(qdev_id)}'))


def results(tap, lines, what):
    """Count a scenario's RESULT lines; return how many there were."""
    count = 0
    for line in lines:
        match = re.match(r'RESULT (\w+) (ok|not ok) ?(.*)', line)
        if match:
            count += 1
            tap.ok(match[2] == 'ok', f'{what}: {match[1]}', match[3])
    return count


def did_its_work(lines, device):
    """Every step of a device's work is reported, and good."""
    said = [line for line in lines
            if line.startswith(f'RESULT {device.steps}_')]
    return bool(said) and all(' ok' in line for line in said)


def sums(lines, prefix):
    """The guest's sums of the files whose name starts with `prefix`."""
    found = {}
    for line in lines:
        match = re.match(r'SUM ([0-9a-f]{32})\s+(\S+)', line)
        if match and match[2].startswith(prefix):
            found[match[2]] = match[1]
    return found


def fact(lines, key):
    """The words after `key` on the first line that starts with it."""
    for line in lines:
        if line.startswith(f'{key} '):
            return line.split()[1:]
    return []


class Window:
    """A device's window, as the guest and as the host see it."""

    def __init__(self, machine, qdev_id):
        bar = machine.property(qdev_id, 'swiotlb-bar')
        self.bar = bar
        self.host = None
        for region in machine.device(qdev_id)['regions']:
            if region['bar'] == bar:
                self.host = region
        lines = machine.must(f'window {machine.address(qdev_id)} {bar}')
        start, end, _flags = (int(x, 16) for x in fact(lines, 'WINDOW'))
        self.start, self.size = start, end - start + 1
        self.owners = [line.partition(' ')[2] for line in lines
                       if line.startswith('OWNER ')]

    def __str__(self):
        end = self.start + self.size - 1
        return f'BAR {self.bar}, {self.start:#x}-{end:#x}'


class State:
    """A virtio device, as the guest's virtio bus shows it."""

    def __init__(self, machine, qdev_id):
        lines = machine.must(f'state {machine.address(qdev_id)}')
        name, driver, status, features = fact(lines, 'STATE')
        self.name = name
        self.driver = None if driver == '-' else driver
        self.status = int(status, 16)
        self.features = {i for i, bit in enumerate(features) if bit == '1'}


def check_window(tap, machine, qdev_id, size, place):
    """The window is where and what the host says, and ours in the guest."""
    window = Window(machine, qdev_id)
    tap.ok(window.host and window.host['address'] == window.start
           and window.host['size'] == window.size == size
           and window.host.get('prefetch') and window.host.get('mem_type_64'),
           f'{qdev_id}: the window is a 64-bit prefetchable BAR of its size',
           f'{window} {window.host}')
    tap.ok((window.start >= GIB4) == (place == 'above'),
           f'{qdev_id}: the window lies {place} 4 GiB', str(window))
    tap.ok(any('virtio_swiotlb' in owner for owner in window.owners),
           f'{qdev_id}: the driver owns the window in /proc/iomem',
           f'{window} {window.owners}')
    return window


def check_negotiated(tap, machine, qdev_id, packed=False):
    """Our feature bits, and a packed ring if the device offers one.

    For a small window our driver prefers split rings, and says so.
    """
    state = State(machine, qdev_id)
    want = {SWIOTLB, VERSION_1, ACCESS_PLATFORM}
    tap.ok(state.driver and want <= state.features,
           f'{qdev_id}: driver bound, features '
           f'{", ".join(map(str, sorted(want)))} accepted',
           f'{state.driver} {sorted(state.features)}')
    if packed:
        said = f'{state.name}: split rings in place of packed ones'
        tap.ok((RING_PACKED in state.features) != (said in machine.dmesg()),
               f'{qdev_id}: rings are packed, or the driver says why not',
               sorted(state.features))
    return state


def check_unharmed(tap, machine, what):
    """The guest's kernel has nothing to complain about."""
    machine.poll()
    tap.ok(not machine.trouble(), f'{what}: the kernel has no complaint',
           '\n'.join(machine.trouble()))
