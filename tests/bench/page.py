# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures in the manual: a table, a picture, and what both are made from."""

import json
import os
import re

import plot
import report
from cases import AGAIN, VARIANTS
from common import list_table, rounded
from run import AGAINST, Failure

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, 'docs/benchmarks.rst')
PICTURE = os.path.join(ROOT, 'docs/benchmarks.svg')
FIGURES = os.path.join(ROOT, 'docs/benchmarks.json')

PLACE = re.compile(r'(?<=^\.\. figures begin\n\n).*?(?=^\.\. figures end$)',
                   re.M | re.S)
COLUMNS = {
    AGAIN: 'swiotlb=off again (A/A)',
    **{name: text for name, text in VARIANTS.items() if name != 'plain'},
    'plain' + AGAINST: 'swiotlb=off, where unmodified QEMU is 1',
}
WIDTHS = (22, 10, *[11] * len(COLUMNS))


def dump(result):
    """JSON, a case on each line."""
    head = {'licence': 'SPDX-License-Identifier: GPL-2.0-or-later (all)',
            **{key: value for key, value in result.items()
               if key not in ('licence', 'cases')}}
    text = json.dumps(head, indent=1)[:-2]
    lines = ',\n'.join('  ' + json.dumps(rounded(case))
                       for case in result['cases'])
    return f'{text},\n "cases": [\n{lines}\n ]\n}}\n'


def load(path):
    try:
        with open(path, encoding='utf-8') as f:
            return json.load(f)
    except (OSError, ValueError) as error:
        raise Failure(f'{path}: {error}') from None


def cells(case):
    found = {entry['label']: entry for entry in case['results']}
    yield f"``{case['name']}``" + ('' if case['valid'] else ' (void)')
    yield f"{found['plain']['ns']['median']:.0f}"
    for label in COLUMNS:
        yield report.spread_text(found[label]['speed']) \
            if label in found else ''


def render(result):
    """The part of the page that is made of figures."""
    lines = [f'| {line}' for line in report.heading(result)]
    rows = [['case', 'swiotlb=off: ns of CPU a request', *COLUMNS.values()],
            *map(list, map(cells, result['cases']))]
    return '\n'.join([*lines, '', *list_table(rows, WIDTHS)]) + '\n\n'


def read():
    """The page, and its part that is made of figures."""
    with open(PAGE, encoding='utf-8') as f:
        text = f.read()
    place = PLACE.search(text)
    if not place:
        raise Failure(f'{PAGE} has no place for figures')
    return text, place


def write(result):
    text, place = read()
    with open(FIGURES, 'w', encoding='utf-8') as f:
        f.write(dump(result))
    # What is rounded twice may differ in its last digit.
    result = rounded(result)
    with open(PAGE, 'w', encoding='utf-8') as f:
        f.write(text[:place.start()] + render(result) + text[place.end():])
    plot.write(result, PICTURE)


def is_current():
    """Does the page say what the figures beside it say?"""
    return read()[1][0] == render(load(FIGURES))
