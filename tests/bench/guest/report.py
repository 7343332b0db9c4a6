# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, for programs; and from that for people and the manual."""

import json
import textwrap
from pathlib import Path

import common
from variants import ALL

DOCS = Path(__file__).resolve().parents[3] / 'docs'
FIGURES = DOCS / 'benchmarks-guest.json'
TABLES = DOCS / 'benchmarks-guest.inc'
TITLES = {variant.name: variant.title for variant in ALL}
LOADS = {'read-4k': '4 KiB read', 'write-4k': '4 KiB write',
         'read-4k-single': '4 KiB read, one by one',
         'read-128k': '128 KiB read'}


def figures(run):
    return common.rounded({
        'licence': 'SPDX-License-Identifier: GPL-2.0-or-later (all)',
        'setting': run.setting, 'absent': run.absent,
        'no_card': {way.name: way.no_card for way in run.ways if way.no_card},
        'valid': run.valid(), 'failed': run.failed,
        'data_compared': list(dict.fromkeys(run.verified)),
        'loads': {n: r.as_json() for n, r in run.results.items()},
        'instructions': {
            way: {load: count.as_json() for load, count in found.items()}
            for way, found in run.counts.items()},
        'windows': {str(mib): case for mib, case in run.windows.items()},
        'held': run.held, 'counters': run.counters,
        'targets': [line.as_json() for line in run.lines]})


def dump(found):
    """JSON, with lists of numbers on one line."""
    def lines(value, indent):
        if isinstance(value, dict) and value:
            inner = ',\n'.join(
                f'{indent} {json.dumps(key)}: {lines(entry, indent + " ")}'
                for key, entry in value.items())
            return f'{{\n{inner}\n{indent}}}'
        return json.dumps(value)
    return lines(found, '') + '\n'


def table(rows):
    """Columns as wide as they need to be, the first one to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]
        lines.append('  '.join(cells).rstrip())
    return '\n'.join(lines)


def sphinx_table(rows, widths):
    return '\n'.join(common.list_table(rows, widths))


def bound(line, name):
    if line[name] is None:
        return ''
    return f"{'>=' if line['below'] else '<='} {line[name]}"


def goals(found):
    rows = [['measure', 'must', 'aim', 'measured', 'quartiles', '']]
    for line in found['targets']:
        spread = line['spread'] or ()
        value = line['value']
        rows.append([
            line['title'], bound(line, 'must'), bound(line, 'aim'),
            '-' if value is None else f"{value:.4g}{line['unit']}",
            '-'.join(f'{x:.2f}' for x in spread), line['verdict']])
    return rows


def costs(load):
    """Each way's time an operation, and how much faster the window is."""
    rows = [[load['title'], f"us a {load['unit']}", 'quartiles',
             'window is faster by']]
    for name, times in load['microseconds'].items():
        low, middle, high = times['quartiles']
        ratio = load['window_is_faster'].get(name)
        rows.append([TITLES[name], f'{middle:.2f}', f'{low:.2f}-{high:.2f}',
                     f"{ratio['median']:.2f}x" if ratio else ''])
    return rows


def pair(load):
    ratio = load['a_a']
    if not ratio:
        return 'No A/A pair: VOID.'
    low, high = ratio['quartiles']
    state = 'valid' if load['valid'] else 'VOID, the host was too busy'
    return (f"A/A {ratio['median']:.3f} ({low:.3f}-{high:.3f}), "
            f"{ratio['rounds']} rounds: {state}.")


def counts(found, load):
    rows = [[f'instructions a {LOADS[load]}', 'all', 'programs', 'kernel',
             'copying', 'lock calls', 'atomics']]
    for name, loads in found['instructions'].items():
        if count := loads.get(load):
            rows.append([TITLES[name], *(f'{count[key]:.0f}' for key in (
                'all', 'programs', 'kernel_outside_copying', 'copying')),
                *(f'{count[key]:.2f}' for key in ('lock_calls', 'atomics'))])
    return rows


def loads_counted(found):
    return list(dict.fromkeys(
        load for loads in found['instructions'].values() for load in loads))


def sizes(found):
    rows = [['window each for disk and network', 'completed',
             'longest gap, s', 'seconds of silence', 'waits: disk',
             'waits: network']]
    for mib, case in found['windows'].items():
        rows.append([f'{mib} MiB', 'yes' if case['completed'] else 'NO',
                     f"{case['longest_gap']:.2f}", str(case['silent_seconds']),
                     *(str(case['waits'][q]) for q in ('disk', 'net'))])
    return rows


def remarks(found):
    """Sentences."""
    for name, reason in found['absent'].items():
        yield f'{TITLES[name]}: left out. {reason}.'
    for name, reason in found['no_card'].items():
        yield f'{TITLES[name]}: no iperf3. {reason}.'
    for case in found['failed']:
        yield f"{case['what']}: FAILED. {case['why']}"
    yield ('Data were compared, by fio --verify=crc32c and by the host: '
           f"{', '.join(found['data_compared']) or 'nowhere'}.")
    if found['held']:
        yield (f"Window held by each of {found['held']['reads']} reads in "
               f"flight: {found['held']['bytes']:.0f} bytes.")
    if found['counters']:
        yield "The driver's counters at the end: " + ', '.join(
            f'{n} {value}' for n, value in found['counters'].items()) + '.'


def text(found):
    parts = ['\n'.join(f'{key}: {value}'
                       for key, value in found['setting'].items())]
    parts += [f'{table(costs(load))}\n{pair(load)}'
              for load in found['loads'].values()]
    parts += [table(counts(found, load)) for load in loads_counted(found)]
    if found['windows']:
        parts.append(table(sizes(found)))
    parts.append('\n'.join(remarks(found)))
    parts.append(table(goals(found)))
    if not found['valid']:
        parts.append('This run is VOID: guests that are the same differ by '
                     'more than 5 %, or have no figures.')
    return '\n\n'.join(parts)


def rst(found):
    parts = ['.. SPDX-License-Identifier: GPL-2.0-or-later',
             '.. Written by tests/bench/guest/bench --write-docs',
             sphinx_table(goals(found), [40, 10, 10, 12, 14, 14])]
    for load in found['loads'].values():
        parts += [sphinx_table(costs(load), [40, 15, 25, 20]), pair(load)]
    parts += [sphinx_table(counts(found, load), [34, 11, 11, 11, 11, 11, 11])
              for load in loads_counted(found)]
    if found['windows']:
        parts.append(sphinx_table(sizes(found), [25, 15, 15, 15, 15, 15]))
    parts += [textwrap.fill(f'* {line}', 98, subsequent_indent='  ',
                            break_on_hyphens=False)
              for line in remarks(found)]
    parts.append('\n'.join(f"| {key.replace('_', ' ')}: {value}"
                           for key, value in found['setting'].items()))
    return '\n\n'.join(parts) + '\n'


def profile(found, top=45):
    """For each load: functions, and what each way runs in them."""
    parts = []
    for load in loads_counted(found):
        ways = {way: loads[load]
                for way, loads in found['instructions'].items()
                if load in loads}
        for what, rows, digits in (('functions', top, 1),
                                   ('lock_callers', 25, 2),
                                   ('atomic_users', 25, 2)):
            parts.append(table(by_function(load, ways, what, rows, digits)))
    return '\n\n'.join(parts) + '\n'


def by_function(load, ways, what, top, digits):
    most = {}
    for count in ways.values():
        for name, number in count[what].items():
            most[name] = max(number, most.get(name, 0))
    names = sorted(most, key=most.get, reverse=True)[:top]
    return [[f"{load}: {what.replace('_', ' ')}, a request", *ways],
            *([name, *(f'{count[what].get(name, 0):.{digits}f}'
                       for count in ways.values())] for name in names)]
