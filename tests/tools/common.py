# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio-swiotlb-check, as it is run by these tests."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCE = TOP / 'tools' / 'check'
NAME = 'virtio-swiotlb-check'

sys.path.insert(0, str(TOP / 'tests' / 'guest'))

ALL_CONFINED, NOT_CONFINED, TROUBLE = 0, 1, 2


class Result:
    """What the tool said, and how long it took."""

    def __init__(self, command, **options):
        start = time.monotonic()
        try:
            got = subprocess.run([str(word) for word in command], text=True,
                                 stdin=subprocess.DEVNULL, check=False,
                                 capture_output=True, timeout=60, **options)
            self.status, self.output, self.said = (
                got.returncode, got.stdout, got.stderr)
        except subprocess.TimeoutExpired:
            self.status, self.output, self.said = None, '', 'it hangs'
        self.seconds = time.monotonic() - start

    def __str__(self):
        return (f'status {self.status} after {self.seconds:.1f} s\n'
                f'{self.output}{self.said}')

    @property
    def lines(self):
        return self.said.splitlines()

    def report(self):
        return json.loads(self.output)

    def devices(self):
        """The devices of --json, by id."""
        return {device['id']: device for device in self.report()['devices']}

    def row(self, name):
        """A device's row in the table, by column."""
        titles, *rows = [line.split() for line in self.output.splitlines()]
        for row in rows:
            if row[0] == name:
                return dict(zip(titles, row))
        return None


def tool(build):
    return build.folder / 'tools' / 'check' / NAME


def run(build, *arguments, **options):
    return Result([tool(build), *arguments], **options)


def with_sanitizers(folder):
    """(path, what the compiler said) of a build that finds its own errors."""
    glib = subprocess.run(['pkg-config', '--cflags', '--libs', 'json-glib-1.0'],
                          check=True, capture_output=True, text=True)
    program = folder / f'{NAME}-sanitized'
    result = subprocess.run(
        [os.environ.get('CC', 'cc'), '-std=gnu11', '-D_GNU_SOURCE', '-g',
         '-O1', '-Wall', '-fsanitize=address,undefined',
         '-fno-sanitize-recover=all', '-o', str(program),
         *map(str, sorted(SOURCE.glob('*.c'))), *glib.stdout.split()],
        capture_output=True, text=True, check=False)
    return program, result.stdout + result.stderr
