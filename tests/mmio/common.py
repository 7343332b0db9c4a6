# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of pools share."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path += [os.path.join(ROOT, 'tests', folder)
             for folder in ('guest', 'unmodified')]

# pylint: disable=wrong-import-position,unused-import
from harness.tap import Tap  # noqa: E402,F401
from machine import Machine  # noqa: E402,F401

VIRT = ('qemu-system-aarch64', '-machine', 'virt', '-cpu', 'cortex-a57')
MODERN = ('-global', 'virtio-mmio.force-legacy=false')
USED = ('-global', 'virtio-mmio.swiotlb-pool=pool0')


def run(build, program, *args, said='quit\n'):
    """Exit status and messages of a QEMU whose user says this to its monitor."""
    command = [os.path.join(build, 'qemu', program), '-nodefaults',
               '-display', 'none', '-accel', 'qtest', '-monitor', 'stdio',
               *args]
    result = subprocess.run(command, input=said, text=True, timeout=60,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False)
    return result.returncode, ''.join(
        line for line in result.stdout.splitlines(keepends=True)
        if line.strip() and not line.startswith(('QEMU ', '(qemu)')))
