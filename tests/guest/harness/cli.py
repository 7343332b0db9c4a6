# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test program does before and after its checks."""

import argparse
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from . import initramfs, tap
from .build import Build, BuildError, NoSuchKernel
from .machine import MachineError


class Context:
    """What a test is given: where things are, and a folder of its own."""

    def __init__(self, options, build, kernel, folder):
        self.options = options
        self.build = build
        self.kernel = kernel
        self.folder = folder
        self.tap = tap.Tap()

    def bare_initramfs(self):
        """Without our driver."""
        return initramfs.make(self.build, self.kernel, {})

    def initramfs(self, rogue=False, more=None):
        """With the driver; with its test build too if `rogue`."""
        drivers = {'': self.build.driver(self.kernel)}
        if rogue:
            drivers['rogue'] = self.build.driver(self.kernel, rogue=True)
        return initramfs.make(self.build, self.kernel, drivers, more)


def parser(description, kernel=True):
    options = argparse.ArgumentParser(description=description)
    options.add_argument('--build', default='build', metavar='DIR',
                         help='build folder (default: build)')
    if kernel:
        options.add_argument('--kernel', default='6.1', metavar='SERIES',
                             help="kernel to boot, such as 6.1, or 'newest'")
    return options


def run(test, options):
    """Run `test(context)`; return the program's exit status.

    A test without a guest sets the kernel to None.
    """
    # So that a test which is stopped stops its guest, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    build = Build(options.build)
    try:
        name = getattr(options, 'kernel', None)
        kernel = build.kernel(name) if name else None
    except NoSuchKernel as error:
        tap.skip_all(error)
    with tempfile.TemporaryDirectory(prefix='run-',
                                     dir=build.scratch) as folder:
        context = Context(options, build, kernel, Path(folder))
        try:
            test(context)
        except (MachineError, BuildError) as error:
            reason, _, report = str(error).partition('\n')
            context.tap.ok(False, reason, report)
        except Exception:
            context.tap.ok(False, 'the test ran to its end',
                           traceback.format_exc())
        return context.tap.finish()
