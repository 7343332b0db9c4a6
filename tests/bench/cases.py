# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: each case is one load, on all variants of the device."""

import dataclasses

# By what the device reaches its driver's memory; the client knows how.
VARIANTS = {
    'plain': 'swiotlb=off',
    'swiotlb': 'swiotlb=on',
    'platform': 'iommu_platform=on',
    'intel-iommu': 'iommu_platform=on, intel-iommu',
    'virtio-iommu': 'iommu_platform=on, virtio-iommu',
}
# The ratio of two plain machines: how far the figures can be trusted
AGAIN = 'again'
ALL = tuple(VARIANTS)
FRAME = 1514


@dataclasses.dataclass(frozen=True)
class Case:
    device: str
    ring: str
    size: int
    data: bool = False
    queues: int = 1
    variants: tuple = ALL
    quick: bool = False

    @property
    def name(self):
        size = f'{self.size // 1024}K' if self.size % 1024 == 0 \
            else str(self.size)
        return '/'.join([self.device, self.ring, size]
                        + ['data'] * self.data
                        + [f'{self.queues}-queues'] * (self.queues > 1))

    def arguments(self):
        """Options of the client."""
        words = [f'--device={self.device}', f'--size={self.size}',
                 f'--queues={self.queues}']
        words += ['--packed'] * self.ring.startswith('packed')
        words += ['--indirect'] * self.ring.endswith('indirect')
        return words + ['--zeroes'] * self.data


RINGS = ('split-indirect', 'split-direct', 'packed-indirect', 'packed-direct')
# What 'make bench BENCH_FLAGS=--quick' measures
QUICK = (('split-indirect', 4096, False), ('split-direct', 4096, False),
         ('packed-indirect', 4096, False), ('split-indirect', 65536, True))


def every():
    """All cases, the most telling ones first."""
    cases = [Case('virtio-blk', ring, size, data,
                  quick=(ring, size, data) in QUICK)
             for data in (False, True) for size in (4096, 65536)
             for ring in RINGS]
    cases += [Case('virtio-blk', 'split-indirect', 4096, queues=queues)
              for queues in (2, 4)]
    cases += [Case('virtio-net', ring, FRAME, quick=ring == 'split-direct')
              for ring in RINGS]
    # The back end knows split rings only, and its memory is no IOMMU's.
    cases += [Case('vhost-user-blk', ring, 4096,
                   variants=('plain', 'swiotlb'),
                   quick=ring == 'split-indirect')
              for ring in RINGS[:2]]
    return cases
