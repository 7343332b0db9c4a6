# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of the guest's module in a process of this system, with sanitizers.

Their source is compiled as it is. A header of the test's stands for the
kernel's.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from .tap import Tap

GUEST = Path(__file__).resolve().parents[3] / 'guest' / 'linux'


class Program:
    """A test program in GLib's framework.

    test       its source, whose name is its name
    sources    those of the module
    kept       headers of Linux that programs have as well; what is in the others
               is in kernel.h
    """

    def __init__(self, test, sources, kept=()):
        self.test = test
        self.name = test.stem.removeprefix('test-')
        self.sources = [GUEST / name for name in sources]
        self.kept = kept

    def empty_headers(self, folder):
        """Whatever the module includes of Linux is there, and empty."""
        for source in GUEST.glob('*.[ch]'):
            for name in re.findall(r'#include <(linux/.*)>',
                                   source.read_text()):
                if name not in self.kept:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).touch()

    def build(self, folder, sanitizer):
        self.empty_headers(folder)
        glib = subprocess.run(['pkg-config', '--cflags', '--libs', 'glib-2.0'],
                              check=True, capture_output=True, text=True)
        program = folder / f'{self.name}-{sanitizer}'
        result = subprocess.run(
            [os.environ.get('CC', 'cc'), '-std=gnu11', '-g', '-O1', '-Wall',
             '-Wno-tsan', f'-fsanitize={sanitizer}',
             '-fno-sanitize-recover=all', '-I', str(folder),
             '-I', str(self.test.parent), '-I', str(GUEST),
             '-include', 'kernel.h', '-o', str(program), str(self.test),
             *map(str, self.sources), *glib.stdout.split(), '-lpthread'],
            capture_output=True, text=True, check=False)
        return program, result

    def run(self, tap, program, sanitizer):
        # Some kernels spread addresses wider than the sanitizer expects.
        result = subprocess.run(['setarch', '-R', str(program), '--tap'],
                                capture_output=True, text=True, check=False)
        cases = re.findall(rf'^(ok|not ok) \d+ /{self.name}/(\w+)',
                           result.stdout, re.M)
        said = result.stdout + result.stderr
        for verdict, name in cases:
            tap.ok(verdict == 'ok', f'{sanitizer}: {name}', said)
        tap.ok(cases and result.returncode == 0,
               f'{sanitizer}: the sanitizer has nothing to say', said)

    def main(self, sanitizers):
        """Everything; the exit status of the program that calls it."""
        tap = Tap()
        with tempfile.TemporaryDirectory() as name:
            for sanitizer in sanitizers:
                program, result = self.build(Path(name), sanitizer)
                if tap.ok(result.returncode == 0 and not result.stderr,
                          f'{sanitizer}: {self.name} compiles without warnings',
                          result.stderr):
                    self.run(tap, program, sanitizer)
        return tap.finish()
