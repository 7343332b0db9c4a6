# SPDX-License-Identifier: GPL-2.0-or-later
"""One case: start the client, and make figures of what it counts."""

import dataclasses
import json
import statistics
import subprocess

from cases import AGAIN
from common import is_alike

AGAINST = '@against'
# Fewer have no quartiles worth the name.
ROUNDS_MIN = 5


class Failure(Exception):
    """What went wrong, in one line."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all cases have in common."""
    client: str
    qemu: str
    storage_daemon: str
    # Another QEMU, and the variants in which it is compared
    against: str
    against_variants: tuple
    cpus: tuple
    rounds: int
    slice_ms: int


def spread(values):
    """Median and quartiles."""
    first, middle, third = statistics.quantiles(values, n=4,
                                                method='inclusive')
    return {'median': middle, 'q1': first, 'q3': third}


def machines(case, setup):
    """{label: LABEL=VARIANT=BINARY} for the client"""
    found = {'plain': ('plain', setup.qemu), AGAIN: ('plain', setup.qemu)}
    found |= {variant: (variant, setup.qemu) for variant in case.variants}
    if setup.against and case.device != 'vhost-user-blk':
        found |= {variant + AGAINST: (variant, setup.against)
                  for variant in case.variants
                  if variant in setup.against_variants}
    return {label: f'{label}={variant}={binary}'
            for label, (variant, binary) in found.items()}


def slices(case, setup, progress):
    """Yield what the client counted in each slice."""
    command = [setup.client, *case.arguments(), f'--rounds={setup.rounds}',
               f'--slice={setup.slice_ms}',
               f"--cpus={','.join(map(str, setup.cpus))}",
               f'--storage-daemon={setup.storage_daemon}',
               *machines(case, setup).values()]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as client:
        for line in client.stdout:
            entry = json.loads(line)
            progress(entry['round'] + 1)
            yield entry
        said = client.stderr.read()
    if client.returncode:
        raise Failure(f'{case.name}: {said.strip()}')


def compared(label):
    """Two machines: how many times the second one's speed is the first one's.

    A machine is compared with that without a window, but with the other
    QEMU's machine of its own kind it is this QEMU's that is compared.
    """
    if label.endswith(AGAINST):
        return label.removesuffix(AGAINST), label
    return label, 'plain'


def ratios(times, label):
    """How many times as fast, round by round."""
    this, other = (times[name] for name in compared(label))
    return [other[n] / this[n] for n in this if n in other]


def measure(case, setup, progress):
    """The figures of a case, ready for the report."""
    times = {label: {} for label in machines(case, setup)}
    kicks = dict.fromkeys(times, 0)
    requests = dict.fromkeys(times, 0)
    for entry in slices(case, setup, progress):
        label = entry['label']
        kicks[label] += entry['kicks']
        requests[label] += entry['requests']
        if entry['requests']:
            times[label][entry['round']] = entry['cpu_ns'] / entry['requests']
    results = []
    for label, by_round in times.items():
        speeds = ratios(times, label)
        if len(speeds) < ROUNDS_MIN:
            raise Failure(f'{case.name}: {label}: only {len(speeds)} rounds '
                          'in which anything was done; the machine is too '
                          'busy')
        results.append({
            'label': label,
            'slices': len(by_round),
            'requests': requests[label],
            'kicks': kicks[label],
            'ns': spread(list(by_round.values())),
            'speed': spread(speeds),
        })
    again = next(r for r in results if r['label'] == AGAIN)['speed']['median']
    return {
        'name': case.name,
        **{name: value for name, value in dataclasses.asdict(case).items()
           if name not in ('variants', 'quick')},
        'valid': is_alike(again),
        'results': results,
    }


def qemu_version(binary):
    try:
        text = subprocess.run([binary, '--version'], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f'{binary} does not run: {error}') from None
    return text.split('version ', 1)[1].split('\n')[0]
