# SPDX-License-Identifier: GPL-2.0-or-later
"""What is going on, what failed, and how much time is left."""

import contextlib
import sys
import time

from harness.machine import MachineError


class Journal:
    """Of a run that begins nothing more after so many minutes.

    failed  [{what, why}]
    """

    def __init__(self, minutes):
        self.began = time.monotonic()
        self.end = self.began + 60 * minutes
        self.failed = []

    def say(self, text, fleeting=False):
        """Progress; what is fleeting only where it can be overwritten."""
        terminal = sys.stderr.isatty()
        if fleeting and not terminal:
            return
        line = f'{time.monotonic() - self.began:5.0f} s  {text}'
        print(f'\r\033[K{line}' if terminal else line, file=sys.stderr,
              end='' if fleeting else '\n', flush=True)

    @contextlib.contextmanager
    def risk(self, what, guest=None):
        """What fails here is noted, and the guest has no more turns."""
        try:
            yield
        except (MachineError, OSError, ValueError, LookupError) as error:
            self.note_failure(what, str(error) or repr(error))
            if guest:
                guest.__exit__()

    def note_failure(self, what, why):
        self.failed.append({'what': what, 'why': why.splitlines()[0]})
        self.say(f'{what}: FAILED\n{why}')

    def in_time(self):
        return time.monotonic() < self.end

    def may_begin(self, what):
        """Whether there is time for it; if not, it has failed."""
        if not self.in_time():
            self.note_failure(what, 'there was no time left')
        return self.in_time()
