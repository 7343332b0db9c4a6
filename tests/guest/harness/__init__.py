# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot a distribution's kernel under QEMU and drive it from the host.

arch       what differs between architectures
build      where QEMU, its firmware, the kernels and the guest module lie
initramfs  what the guest starts with: busybox, modules, scenarios
machine    one running QEMU or guest: QMP, kernel console, command line
mmio       the same, with devices on virtio-mmio
held       what QEMU holds of its host, before and after
host       the host's half of each device: disk, HTTP server, pattern
devices    the devices of a guest, and what must hold for each window
tap        one line for each thing that must hold
"""
