# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways in which a guest's DMA can go, and how to see that it does."""

from harness import devices
from harness.build import BuildError
from harness.initramfs import ModuleTree
from harness.machine import MachineError

# Machines and devices are the same but for this.
MODERN = 'disable-legacy=on'
PLATFORM = f'{MODERN},iommu_platform=on'


class Variant:
    """One way.

    title    for the table
    options  of each virtio device
    machine  arguments of the machine
    append   to the kernel's command line
    modules  that the guest loads before virtio_pci
    """

    modules = ()
    machine = ()
    append = ''
    options = MODERN
    # Why it has no network card
    no_card = None

    def __init__(self, name, title):
        self.name = name
        self.title = title

    def missing(self, kernel):
        """Why this kernel cannot do it, or None."""
        tree = ModuleTree(kernel)
        for name in self.modules:
            if name != 'virtio_swiotlb' and name not in tree.files:
                return f"Debian's {kernel.version} has no module {name}"
        return None

    def check(self, guest):
        """Raise MachineError unless the guest's disk works in this way."""
        state = devices.State(guest, 'disk')
        platform = devices.ACCESS_PLATFORM in state.features
        window = devices.SWIOTLB in state.features
        if (platform, window) != self.features:
            raise MachineError(f'{self.name}: the guest has negotiated '
                               f'{sorted(state.features)}')

    features = (False, False)


class Window(Variant):
    features = (True, True)
    modules = ('virtio_swiotlb',)

    def __init__(self, name, title, size='64M'):
        super().__init__(name, title)
        self.options = f'swiotlb=on,swiotlb-size={size}'

    def check(self, guest):
        super().check(guest)
        guest.must(f"pool {guest.address('disk')} | grep ' size='")


class Bounced(Variant):
    """By Linux's own swiotlb, which is as large as a window."""

    features = (True, False)
    options = PLATFORM
    append = 'swiotlb=force'

    def check(self, guest):
        super().check(guest)
        guest.throttle(1)
        guest.do(f"bounces {guest.address('disk')}")
        guest.throttle(0)


class Translated(Variant):
    """By a virtual IOMMU."""

    features = (True, False)
    options = PLATFORM

    def __init__(self, name, title, machine, append, kind, modules=(),
                 no_card=None):
        super().__init__(name, title)
        self.machine = machine
        self.append = append
        self.kind = kind
        self.modules = modules
        self.no_card = no_card

    def check(self, guest):
        super().check(guest)
        path = f"/sys/bus/pci/devices/{guest.address('disk')}/iommu_group/type"
        kind = guest.must(f'cat {path}')
        if kind != [self.kind]:
            raise MachineError(f'{self.name}: {path} says {kind}')


class Absent(Variant):
    def __init__(self, name, title, reason):
        super().__init__(name, title)
        self.reason = reason

    def missing(self, kernel):
        return self.reason


INTEL = ('-device', 'intel-iommu,intremap=off')

PLAIN = Variant('plain', 'plain virtio')
AGAIN = Variant('again', 'plain virtio, once more (A/A)')
WINDOW = Window('window', 'window, virtio_swiotlb.ko')
FORCE = Bounced('force', 'swiotlb=force, iommu_platform=on')
STRICT = Translated('strict', 'intel-iommu, strict', INTEL,
                    'intel_iommu=on iommu.strict=1', 'DMA',
                    no_card='While iperf3 sends, QEMU reports '
                    'vtd_iova_to_slpte with slpte=0x0, and the card ends; '
                    'unmodified QEMU 10.0.13 does so too')
LAZY = Translated('lazy', 'intel-iommu, lazy', INTEL,
                  'intel_iommu=on iommu.strict=0', 'DMA-FQ')
VIRTIO = Translated('virtio-iommu', 'virtio-iommu',
                    ('-device', 'virtio-iommu-pci'), 'iommu.strict=1', 'DMA',
                    ('virtio_iommu',))
RESTRICTED = Absent(
    'restricted', 'restricted-dma-pool',
    'x86 kernels have no CONFIG_DMA_RESTRICTED_POOL: it needs a devicetree')

ALL = (PLAIN, AGAIN, WINDOW, FORCE, STRICT, LAZY, VIRTIO, RESTRICTED)
USUAL = (PLAIN, AGAIN, WINDOW, FORCE, STRICT)
SMOKE = (PLAIN, AGAIN, WINDOW, FORCE)


def usable(wanted, kernel):
    """Those of `wanted` that work here, and {name: reason} of the others."""
    absent = {v.name: v.missing(kernel) for v in wanted if v.missing(kernel)}
    there = [v for v in wanted if v.name not in absent]
    if not there:
        raise BuildError(f'nothing to compare: {absent}')
    return there, absent
