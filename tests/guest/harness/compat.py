# SPDX-License-Identifier: GPL-2.0-or-later
"""What works with which kernel, and with which format of rings.

Each test of devices leaves what it saw in the build folder. docs/write-compat
makes a promise of that, which is docs/compat.json and the manual's table, and
to which the tests hold what they see from then on.
"""

import json
from pathlib import Path

from .build import numbers

DOCS = Path(__file__).resolve().parents[3] / 'docs'
PROMISE = DOCS / 'compat.json'
TABLE = DOCS / 'compat.inc'
FORMATS = ('split', 'packed')
# Without indirect descriptors
DIRECT = '-direct'
RINGS = tuple(ring + how for ring in FORMATS for how in ('', DIRECT))
HEAD = '''\
.. SPDX-License-Identifier: GPL-2.0-or-later
.. Made by docs/write-compat.

'''
# Other names of a device that has a name already
ALIAS = '-non-transitional'


def series(version):
    """6.12 of 6.12.118+deb13-amd64."""
    return '.'.join(map(str, numbers(version)[:2]))


def ring(packed, indirect):
    return FORMATS[packed] + ('' if indirect else DIRECT)


def load():
    return json.loads(PROMISE.read_text(encoding='utf-8'))


class Seen:
    """What one test has seen with one kernel."""

    def __init__(self, context, test):
        version = context.kernel.version
        self.tap = context.tap
        self.series = series(version)
        self.path = folder(context.build) / f'{version}-{test}.json'
        self.record = {'kernel': version, 'seen': []}

    def add(self, qtype, rings, works):
        if not qtype.endswith(ALIAS):
            self.record['seen'].append([qtype, rings, bool(works)])

    def finish(self):
        """Leave it for docs/write-compat, and hold it to the promise."""
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(self.record, indent=1))
        promised = load()['works']
        broken = [f'{qtype} with {ring} rings'
                  for qtype, ring, works in self.record['seen'] if not works
                  and ring in promised.get(qtype, {}).get(self.series, [])]
        self.tap.equal(broken, [], f'Linux {self.record["kernel"]}: what works '
                       'in the user guide\'s table works')


def folder(build):
    return build.folder / 'compat'


def collect(build):
    """The promise: what every test that tried it saw working."""
    records = [json.loads(path.read_text())
               for path in sorted(folder(build).glob('*.json'))]
    kernels = {}
    for version in sorted({r['kernel'] for r in records}, key=numbers):
        kernels[series(version)] = version
    verdicts = {}
    for record in records:
        name = series(record['kernel'])
        if kernels[name] != record['kernel']:
            continue
        for qtype, ring, good in record['seen']:
            key = qtype, name, ring
            verdicts[key] = verdicts.get(key, True) and good
    works = {}
    for (qtype, name, ring), good in verdicts.items():
        if good:
            works.setdefault(qtype, {}).setdefault(name, []).append(ring)
    for rings in (r for kinds in works.values() for r in kinds.values()):
        rings.sort(key=RINGS.index)
    return {'licence': 'SPDX-License-Identifier: GPL-2.0-or-later (all)',
            'kernels': kernels, 'works': works}


def dump(promise):
    return json.dumps(promise, indent=1, sort_keys=True) + '\n'


def cell(rings):
    """With + for indirect descriptors, - for none, and ± for either."""
    signs = {(True, True): '±', (True, False): '+', (False, True): '-'}
    return ', '.join(
        f'{name} {signs[name in rings, name + DIRECT in rings]}'
        for name in FORMATS if {name, name + DIRECT} & set(rings)) or 'none'


def render(promise):
    """The table, a device in each row and a kernel in each column."""
    kernels = sorted(promise['kernels'], key=numbers)
    rows = [['device', *(f'Linux {name}' for name in kernels)]]
    for qtype, found in sorted(promise['works'].items()):
        rows.append([f'``{qtype}``', *(cell(found.get(name, ()))
                                       for name in kernels)])
    text = HEAD + '.. list-table::\n   :header-rows: 1\n\n'
    for row in rows:
        text += f'   * - {row[0]}\n'
        text += ''.join(f'     - {cell}\n' for cell in row[1:])
    versions = ', '.join(promise['kernels'][name] for name in kernels)
    return f'{text}\nThe kernels were {versions}.\n'
