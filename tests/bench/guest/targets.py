# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be reached, beside what was measured."""

ABSENT = 'not measured'
VOID = 'void'
NO_TARGET = ''


class Target:
    """One line of the table.

    must, aim  bounds: lower ones if `below`, else upper ones; None without
    valid      False if the A/A pair was out of bounds
    """

    def __init__(self, title, must, aim, value, unit='', below=True,
                 spread=None, valid=True):
        self.title = title
        self.must = must
        self.aim = aim
        self.value = value
        self.unit = unit
        self.below = below
        self.spread = spread
        self.valid = valid

    def reaches(self, bound):
        if self.below:
            return self.value >= bound
        return self.value <= bound

    def verdict(self):
        if self.value is None:
            return ABSENT
        if not self.valid:
            return VOID
        if self.must is None:
            return NO_TARGET
        if self.reaches(self.aim):
            return 'aim met'
        return 'must met' if self.reaches(self.must) else 'missed'

    def as_json(self):
        return {'title': self.title, 'must': self.must, 'aim': self.aim,
                'below': self.below, 'value': self.value, 'unit': self.unit,
                'spread': self.spread, 'verdict': self.verdict()}


def faster(results, load, than, must, aim):
    """The window against another way, in CPU time: above 1 it is faster."""
    result = results.get(load)
    ratio = result and result.faster(than)
    name = result.load.title if result else load
    return Target(f'{name}, against {than}', must, aim,
                  ratio and ratio.median, 'x',
                  spread=ratio and [ratio.low, ratio.high],
                  valid=not result or result.valid())


def judge(run):
    """Every line; `run` holds what was measured."""
    results = run.results
    lines = [faster(results, load, than, must, aim)
             for than, must, aim in (('force', 1.15, 1.5),
                                     ('strict', 1.6, 2.5),
                                     ('plain', 0.75, 0.9))
             for load in ('read-4k', 'write-4k')]
    lines += [faster(results, load, 'force', 1.0, 1.3)
              for load in ('read-128k', 'write-128k')]
    lines += [faster(results, load, 'force', 1.1, 1.5)
              for load in ('send', 'receive')]
    return [*lines, *instructions(run.counts), held(run.held),
            locks(run.counts), smallest(run.windows)]


def instructions(counts):
    """In all, and what each way adds to what plain virtio takes."""
    whole = added = floor = None
    if {'window', 'force', 'plain'} <= counts.keys():
        ours, other, plain = (counts[name]['read-4k'].outside()
                              for name in ('window', 'force', 'plain'))
        whole = ours / other
        added = (ours - plain) / (other - plain)
        floor = plain / other
    what = "the kernel's instructions a 4 KiB read, without copying"
    return [Target(f'{what}: more than plain, against force', 0.7, 0.4, added,
                   'x', below=False),
            Target(f'{what}: all, against force', None, None, whole, 'x',
                   below=False),
            Target(f"{what}: plain's, against force", None, None, floor, 'x',
                   below=False)]


def held(found):
    return Target('window held by a 4 KiB read in flight', 4.5, 4.25,
                  found and found['bytes'] / 1024, ' KiB', below=False)


def locks(counts):
    value = None
    if 'window' in counts:
        value = counts['window']['read-4k'].shared_locks()
    return Target('shared locks that the driver takes for a 4 KiB read', 0, 0,
                  value, below=False)


def smallest(windows):
    good = [mib for mib, case in windows.items() if case['smooth']]
    return Target('smallest window for blk QD128 and net without a stall',
                  4, 1, min(good) if good else None, ' MiB', below=False)
