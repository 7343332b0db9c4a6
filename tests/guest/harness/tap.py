# SPDX-License-Identifier: GPL-2.0-or-later
"""Test Anything Protocol, as `meson test` reads it."""

import sys


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, detail=''):
        """Count one check; what explains a failure goes below it."""
        self.count += 1
        if not good:
            self.failed += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if detail and not good:
            self.note(detail)
        sys.stdout.flush()
        return bool(good)

    def equal(self, got, want, name):
        return self.ok(got == want, name, f'got {got!r}, want {want!r}')

    def skip(self, name, reason):
        """Count one point that could not be checked."""
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {reason}', flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print(f'# {line}')
        sys.stdout.flush()

    def finish(self):
        """Print the plan; return the exit status of the program."""
        if not self.count:
            self.ok(False, 'something was checked')
        print(f'1..{self.count}')
        sys.stdout.flush()
        return 1 if self.failed else 0


def skip_all(reason):
    print(f'1..0 # SKIP {reason}')
    sys.exit(0)
