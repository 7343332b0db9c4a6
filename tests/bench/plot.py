# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures as a picture, drawn by gnuplot."""

import os
import shutil
import subprocess
import tempfile

from cases import VARIANTS
from run import Failure

LICENCE = '<!-- SPDX-License-Identifier: GPL-2.0-or-later -->'
# As Linux drives virtio-blk
RING = 'split-indirect'
SHOWN = [variant for variant in VARIANTS if variant != 'plain']

SCRIPT = '''
set terminal svg size 960,420 font 'sans,12' background 'white'
set output '{picture}'
set datafile missing '-'
set style data histograms
set style histogram errorbars gap 1.5 linewidth 1
set style fill solid 0.8 border rgb 'black'
set boxwidth 0.9
set yrange [0:*]
set grid ytics
set ylabel 'speed, where swiotlb=off is 1'
set key outside top center horizontal noenhanced maxrows 1 font ',11'
set bmargin 4
set xtics scale 0
set arrow from graph 0, first 1 to graph 1, first 1 nohead front
plot {series}
'''


def shown_cases(result):
    return [case for case in result['cases'] if case['ring'] == RING] or \
        result['cases']


def row(case):
    """A cluster of bars: median and quartiles of each variant."""
    speeds = {entry['label']: entry['speed'] for entry in case['results']}
    name = case['name'].replace(f"/{case['ring']}", '').replace('/', '\\n')
    words = [f'"{name}"']
    for variant in SHOWN:
        speed = speeds.get(variant)
        words += [f"{speed[key]:.4f}" for key in ('median', 'q1', 'q3')] \
            if speed else ['-'] * 3
    return ' '.join(words)


def series():
    """What gnuplot is to draw: columns of the data, one set a variant."""
    parts = []
    for i, variant in enumerate(SHOWN):
        first = 2 + 3 * i
        file = "'{data}'" if not i else "''"
        ticks = ':xtic(1)' if not i else ''
        parts.append(f"{file} using {first}:{first + 1}:{first + 2}{ticks} "
                     f"title '{VARIANTS[variant]}'")
    return ', '.join(parts)


def write(result, picture):
    if not shutil.which('gnuplot'):
        raise Failure('gnuplot is not installed; install gnuplot-nox')
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        with open(data, 'w', encoding='utf-8') as f:
            f.write('\n'.join(map(row, shown_cases(result))) + '\n')
        drawn = os.path.join(folder, 'picture.svg')
        script = SCRIPT.format(picture=drawn,
                               series=series().format(data=data))
        done = subprocess.run(['gnuplot'], input=script, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode or not os.path.exists(drawn):
            raise Failure(f'gnuplot failed: {done.stdout.strip()}')
        with open(drawn, encoding='utf-8') as f:
            first, _, rest = f.read().partition('\n')
    with open(picture, 'w', encoding='utf-8') as f:
        f.write(f'{first}\n{LICENCE}\n{rest}')
