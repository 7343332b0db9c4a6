# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparisons of our QEMU with the unmodified one share."""

import os
import sys

from machine import Machine  # noqa: F401 pylint: disable=W0611

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests/guest'))

from harness.tap import Tap  # noqa: E402,F401 pylint: disable=C0413,W0611


def qemu_builds(build):
    """QEMU's build folders: ours and the unmodified one."""
    build = os.path.realpath(build)
    return os.path.join(build, 'qemu'), os.path.join(build, 'stock/qemu')
