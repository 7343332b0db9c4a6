# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between guests of two architectures."""

import os
import platform


class Arch:
    """An architecture, as Debian calls it.

    qemu     as QEMU calls it
    machine  the machine that guests have unless they ask for another
    cpu      its CPU without KVM
    console  the guest's first serial port
    bios     files of firmware that -kernel needs
    line     for the kernel's command line
    """

    def __init__(self, name, qemu, machine, cpu, console, bios=(), line=''):
        self.name = name
        self.qemu = qemu
        self.machine = machine
        self.cpu = cpu
        self.console = console
        self.bios = bios
        self.line = line

    def accelerator(self):
        """TCG unless the user says otherwise."""
        accel = os.environ.get('ACCEL', 'tcg')
        if platform.machine() != self.qemu:
            accel = 'tcg'
        return ['-accel', accel, '-cpu',
                'host' if accel == 'kvm' else self.cpu]


# With other models Linux copies by rep movsb, byte by byte under TCG.
AMD64 = Arch('amd64', 'x86_64', 'q35', 'qemu64', 'ttyS0',
             ('bios-256k.bin', 'linuxboot_dma.bin', 'kvmvapic.bin'),
             'no_timer_check')
ARM64 = Arch('arm64', 'aarch64', 'virt', 'cortex-a57', 'ttyAMA0')


def of(version):
    """That of a kernel's version."""
    return ARM64 if version.endswith(f'-{ARM64.name}') else AMD64
