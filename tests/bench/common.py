# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks share: when figures count, whose they are, tables."""

import os
import subprocess

# Where the ratio of two that are alike is beyond these, the host was too busy
# for figures to mean anything.
AA_RANGE = (0.95, 1.05)


def is_alike(ratio):
    return AA_RANGE[0] <= ratio <= AA_RANGE[1]


def host():
    """The machine that the figures are of."""
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        models = [line.partition(':')[2].strip() for line in f
                  if line.startswith('model name')]
    return {'cpu': models[0] if models else os.uname().machine,
            'cpus': len(models) or os.cpu_count(),
            'kernel': os.uname().release}


def version(program):
    """What the program says of itself, in one line."""
    text = subprocess.run([str(program), '--version'], text=True, check=True,
                          capture_output=True).stdout
    return text.splitlines()[0]


def rounded(value):
    """The same with no more digits than mean anything."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    return round(value, 4) if isinstance(value, float) else value


def list_table(rows, widths=None, title=''):
    """Lines for Sphinx; the first row is the heading."""
    lines = [f'.. list-table:: {title}'.rstrip(), '   :header-rows: 1']
    if widths:
        lines.append(f"   :widths: {' '.join(map(str, widths))}")
    lines.append('')
    for row in rows:
        lines += [f"   {'*' if not i else ' '} - {cell}".rstrip()
                  for i, cell in enumerate(row)]
    return lines
