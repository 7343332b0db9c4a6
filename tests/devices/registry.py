# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of every virtio-pci type: how it works, or that it is refused.

Works    `text` for the user guide; devices of the common guest and cases of
         our qtests, all of which have to pass
Refused  arguments with which nothing but the window stands in the way, and
         words that the message must have
RefusedWhenOpen
         cases of our qtests, which have the back end that it takes
"""

from dataclasses import dataclass, field

import works

NON_TRANSITIONAL = '-non-transitional'
TRANSITIONAL = '-transitional'


@dataclass
class Works:
    text: str
    # Classes of works.py with what their devices need: (class, arguments...)
    guest: list = field(default_factory=list)
    # (program, path) of cases that have to pass
    qtest: list = field(default_factory=list)


@dataclass
class Refused:
    words: list
    options: str = ''
    before: list = field(default_factory=list)
    machine: str = 'q35'


@dataclass
class RefusedWhenOpen:
    qtest: list


# The QEMU that the types below and the user guide's table are of
GUIDE = (10, 0)

DATA = 'swiotlb-data-test'

BLOCK = ('The guest reads and writes a disk past its page cache; both sides '
         'compare all of it')
SCSI = ('The guest reads and writes an emulated disk, and reads a CD; both '
        'sides compare all of it')
NET = 'The guest fetches a file and sends one; both sides compare them'
SERIAL = 'A megabyte goes to the guest through a port and comes back'
RNG = 'The guest reads entropy, which is that of the host\'s source, in order'
P9 = ('The guest mounts a folder of the host, reads a file and writes one; '
      'both sides compare')
INPUT = 'Events that QEMU\'s monitor injects arrive in the guest, in order'
SCREEN = ('The guest paints a picture; a screen dump shows every pixel of it. '
          '2D; ``blob`` and ``hostmem`` are refused')

LEGACY = Refused(['legacy', 'non-transitional'])

MEMORY = {'before': ['-m', '128M,maxmem=1G,slots=2', '-object',
                     'memory-backend-ram,id=mem0,size=128M']}

TYPES = {
    'virtio-9p-pci': Works(P9, [(works.P9,)]),
    'virtio-9p-pci-non-transitional': Works(P9, [(works.P9,)]),
    'virtio-9p-pci-transitional': LEGACY,
    'virtio-balloon-pci': Refused(['guest memory itself', 'pc-dimm']),
    'virtio-balloon-pci-non-transitional':
        Refused(['guest memory itself', 'pc-dimm']),
    'virtio-balloon-pci-transitional':
        Refused(['guest memory itself', 'pc-dimm']),
    'virtio-blk-pci': Works(BLOCK, [(works.Disk,)]),
    'virtio-blk-pci-non-transitional': Works(BLOCK, [(works.Disk,)]),
    'virtio-blk-pci-transitional': LEGACY,
    'virtio-crypto-pci': Works(
        'The guest encrypts with AES in CBC mode; the result is that of the '
        'standard\'s example',
        [(works.Crypto,)]),
    'virtio-gpu-pci': Works(
        SCREEN,
        [(works.Screen,)]),
    'virtio-input-host-pci': Works(
        'Events of a device of the host, which the test stands in for, '
        'arrive in the guest, in order',
        [(works.HostInput, [], [(works.EV_KEY, works.KEY_A, 1),
                                (works.EV_KEY, works.KEY_A, 0)])]),
    'virtio-iommu-pci': Refused(['guest memory itself', 'intel-iommu']),
    'virtio-keyboard-pci': Works(INPUT, [(
        works.Input, [works.key(True), works.key(False)],
        [(works.EV_KEY, works.KEY_A, 1), (works.EV_KEY, works.KEY_A, 0)])]),
    'virtio-mem-pci': Refused(['guest memory itself', 'pc-dimm'],
                              'memdev=mem0', **MEMORY),
    'virtio-mouse-pci': Works(INPUT, [(
        works.Input, [works.axis('rel', 'x', 7), works.axis('rel', 'y', -3)],
        [(works.EV_REL, works.REL_X, 7), (works.EV_REL, works.REL_Y, -3)])]),
    'virtio-multitouch-pci': Works(INPUT, [(
        works.Input,
        [works.touch('begin'),
         works.touch('data', axis='x', value=1234)],
        [(works.EV_ABS, works.ABS_MT_TRACKING_ID, 7),
         (works.EV_ABS, works.ABS_MT_POSITION_X, 1234)])]),
    'virtio-net-pci': Works(
        NET + '. With merged receive buffers and without, with a control '
        'queue and without, with two pairs of queues; with ``rss=on`` its '
        'configuration is read, and packets arrive',
        [(works.Net,), (works.PlainNet,), (works.QueuesNet,),
         (works.ShortNet,)],
        [(DATA, '/x86_64/swiotlb/data/virtio-net-pci/'
          'rss_is_configured_through_the_window')]),
    'virtio-net-pci-non-transitional': Works(NET, [(works.Net,)]),
    'virtio-net-pci-transitional': LEGACY,
    'virtio-pmem-pci': Refused(['guest memory itself', 'virtio-blk-pci'],
                               'memdev=mem0', **MEMORY),
    'virtio-rng-pci': Works(RNG, [(works.Rng, 0)]),
    'virtio-rng-pci-non-transitional': Works(RNG, [(works.Rng, 1)]),
    'virtio-rng-pci-transitional': LEGACY,
    'virtio-scsi-pci': Works(SCSI, [(works.Scsi,)]),
    'virtio-scsi-pci-non-transitional': Works(SCSI, [(works.Scsi,)]),
    'virtio-scsi-pci-transitional': LEGACY,
    'virtio-serial-pci': Works(
        SERIAL + '; two kilobytes go through a console in the same way',
        [(works.Serial, True)]),
    'virtio-serial-pci-non-transitional': Works(SERIAL, [(works.Serial,)]),
    'virtio-serial-pci-transitional': LEGACY,
    'virtio-sound-pci': Works(
        'The driver plays noise; every sample of it arrives at the host',
        [(works.Sound,)],
        [(DATA, '/x86_64/swiotlb/data/virtio-sound-pci/'
          'moves_data_through_the_window')]),
    'virtio-tablet-pci': Works(INPUT, [(
        works.Input, [works.axis('abs', 'x', 12345),
                      works.axis('abs', 'y', 23456)],
        [(works.EV_ABS, works.ABS_X, 12345),
         (works.EV_ABS, works.ABS_Y, 23456)])]),
    'virtio-vga': Works(
        SCREEN,
        [(works.Screen, ',romfile=')]),
}

VHOST_USER = 'swiotlb-vhost-user-test'
VHOST_USER_CASE = '/x86_64/swiotlb/vhost-user/{}/moves_data_through_the_window'

BACK_END = ('A back end in another process, which has the window and nothing else of the guest, '
            'answers requests of the driver; both sides compare')


def back_end(name):
    """A vhost-user type is proved by its case in a qtest."""
    return Works(BACK_END, qtest=[(VHOST_USER, VHOST_USER_CASE.format(name))])


KERNEL = ('Tested without the kernel\'s device: a stand-in for it gets the window and nothing else of '
          'the guest, and the rings lie in it')


def kernel_case(name, case):
    return ('swiotlb-vhost-kernel-test',
            f'/x86_64/swiotlb/vhost-kernel/{name}/{case}')


def kernel(name):
    """The test machines have none of these devices."""
    return Works(KERNEL,
                 qtest=[kernel_case(name, 'kernel_gets_the_window_only')])


TYPES.update({
    'vhost-scsi-pci': kernel('vhost-scsi'),
    'vhost-scsi-pci-non-transitional': kernel('vhost-scsi-non-transitional'),
    'vhost-scsi-pci-transitional': LEGACY,
    'vhost-user-blk-pci': back_end('vhost-user-blk'),
    'vhost-user-blk-pci-non-transitional':
        back_end('vhost-user-blk-non-transitional'),
    'vhost-user-blk-pci-transitional': LEGACY,
    'vhost-user-fs-pci': back_end('vhost-user-fs'),
    'vhost-user-gpio-pci': back_end('vhost-user-gpio'),
    'vhost-user-gpu-pci': back_end('vhost-user-gpu'),
    'vhost-user-i2c-pci': back_end('vhost-user-i2c'),
    'vhost-user-input-pci': back_end('vhost-user-input'),
    'vhost-user-rng-pci': back_end('vhost-user-rng'),
    'vhost-user-scsi-pci': back_end('vhost-user-scsi'),
    'vhost-user-scsi-pci-non-transitional':
        back_end('vhost-user-scsi-non-transitional'),
    'vhost-user-scsi-pci-transitional': LEGACY,
    'vhost-user-snd-pci': back_end('vhost-user-snd'),
    'vhost-user-vga': back_end('vhost-user-vga'),
    'vhost-user-vsock-pci': back_end('vhost-user-vsock'),
    'vhost-user-vsock-pci-non-transitional':
        back_end('vhost-user-vsock-non-transitional'),
    'vhost-vdpa-device-pci': kernel('vhost-vdpa'),
    'vhost-vdpa-device-pci-non-transitional':
        kernel('vhost-vdpa-non-transitional'),
    'vhost-vdpa-device-pci-transitional': LEGACY,
    'vhost-vsock-pci': kernel('vhost-vsock'),
    'vhost-vsock-pci-non-transitional': kernel('vhost-vsock-non-transitional'),
})


def refused_by_kernel(name):
    return RefusedWhenOpen([kernel_case(name, 'window_is_refused')])


# What is otherwise in later versions of QEMU
LATER = {
    (10, 1): {
        'vhost-vdpa-device-pci': refused_by_kernel('vhost-vdpa'),
        'vhost-vdpa-device-pci-non-transitional':
            refused_by_kernel('vhost-vdpa-non-transitional'),
    },
    (10, 2): {
        'vhost-user-test-device-pci': back_end('vhost-user-test-device'),
    },
}


def types(version):
    """All types of a QEMU: (10, 2) for 10.2.2."""
    found = dict(TYPES)
    for since, different in LATER.items():
        if version >= since:
            found.update(different)
    return found


# Properties of types that work, with which they are refused
PROPERTIES = {
    ('virtio-gpu-pci', 'blob=on'): Refused(['blob', 'drop blob']),
    ('virtio-gpu-pci', 'hostmem=256M'): Refused(['hostmem', 'drop hostmem']),
    ('virtio-vga', 'blob=on'): Refused(['blob', 'drop blob']),
    ('virtio-vga', 'hostmem=256M'): Refused(['hostmem', 'drop hostmem']),
}


def proofs(folder, names=None):
    """The devices of the guest, by type: {type: [Proof]}."""
    found = {}
    number = 0
    for qtype, entry in TYPES.items():
        if names and qtype not in names or not isinstance(entry, Works):
            continue
        for kind, *arguments in entry.guest:
            found.setdefault(qtype, []).append(
                kind(folder, f'dev{number}', qtype, *arguments))
            number += 1
    return found
