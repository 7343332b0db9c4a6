# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, for people, for programs and for the manual."""

import statistics

from variants import ALL

TITLES = {variant.name: variant.title for variant in ALL}


def table(rows):
    """Columns as wide as they need to be, the first one to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]
        lines.append('  '.join(cells).rstrip())
    return '\n'.join(lines)


def list_table(rows, widths):
    """The same for Sphinx."""
    lines = ['.. list-table::', '   :header-rows: 1',
             f"   :widths: {' '.join(map(str, widths))}", '']
    for row in rows:
        mark = '*'
        for cell in row:
            lines.append(f'   {mark} - {cell}')
            mark = ' '
    return '\n'.join(lines)


def goals(run):
    rows = [['measure', 'must', 'aim', 'measured', 'quartiles', '']]
    for line in run.lines:
        spread = ('-'.join(f'{x:.2f}' for x in line.spread) if line.spread
                  else '')
        sign = '>=' if line.below else '<='
        rows.append([line.title, f'{sign} {line.must}', f'{sign} {line.aim}',
                     line.shown(), spread, line.verdict()])
    return rows


def costs(result):
    """Each way's time an operation, and how much faster the window is."""
    rows = [[result.load.title, f'us a {result.load.unit}', 'quartiles',
             'window is faster by']]
    for name, figures in result.figures.items():
        low, middle, high = (statistics.quantiles(figures, n=4)
                             if len(figures) > 1 else figures * 3)
        ratio = ''
        if 'window' in result.figures and name != 'window':
            ratio = f'{result.faster(name).median:.2f}x'
        rows.append([TITLES[name], f'{1e6 * middle:.2f}',
                     f'{1e6 * low:.2f}-{1e6 * high:.2f}', ratio])
    return rows


def pair(result):
    ratio = result.pair()
    state = 'valid' if result.valid() else 'VOID: the host was too busy'
    return (f'A/A {ratio.median:.3f} ({ratio.low:.3f}-{ratio.high:.3f}), '
            f'{len(ratio.rounds)} rounds: {state}')


def counts(run, load):
    rows = [[f'instructions a request, {load}', 'all', 'programs', 'kernel',
             'copying', 'lock calls', 'atomics']]
    for name, found in run.counts.items():
        if load not in found:
            continue
        count = found[load]
        rows.append([TITLES[name], *(f'{x:.0f}' for x in (
            count.total(), count.user(), count.outside(), count.copying())),
            f'{sum(count.locks.values()):.2f}',
            f'{sum(count.atomics.values()):.2f}'])
    return rows


def loads_counted(run):
    return list(dict.fromkeys(
        load for found in run.counts.values() for load in found))


def sizes(run):
    rows = [['window each for disk and network', 'completed',
             'longest gap, s', 'waits: disk', 'waits: network']]
    for mib, case in run.windows.items():
        gap = case['longest_gap']
        rows.append([f'{mib} MiB', 'yes' if case['completed'] else 'NO',
                     '-' if gap is None else f'{gap:.2f}',
                     *(str(case['waits'].get(q, '-'))
                       for q in ('disk', 'net'))])
    return rows


def text(run):
    parts = ['\n'.join(f'{key}: {value}'
                       for key, value in run.setting.items())]
    parts += [f'{TITLES[name]}: left out. {reason}.'
              for name, reason in run.absent.items()]
    if run.effort.mib:
        parts += [f'{way.title}: no iperf3. {way.no_card}.'
                  for way in run.ways if way.no_card]
    parts.append('data compared (fio --verify=crc32c, and by the host): '
                 + ', '.join(run.verified))
    parts += [f'{table(costs(result))}\n{pair(result)}'
              for result in run.results.values()]
    parts += [table(counts(run, load)) for load in loads_counted(run)]
    if run.windows:
        parts.append(table(sizes(run)))
    if run.held:
        parts.append(f"window held by {run.held['reads']} reads in flight: "
                     f"{run.held['bytes']:.0f} bytes each")
    parts += [f"the driver's counters a request, {load}: " + ', '.join(
        f'{name} {value:.3g}' for name, value in count.driver.items())
        for found in run.counts.values() for load, count in found.items()
        if count.driver]
    if run.counters:
        parts.append("the driver's counters: " + ', '.join(
            f'{name} {value}' for name, value in run.counters.items()))
    parts.append(table(goals(run)))
    if not run.valid():
        parts.append('This run is VOID: guests that are the same differ by '
                     'more than 5 %.')
    return '\n\n'.join(parts)


def as_json(run):
    return {
        'setting': run.setting, 'absent': run.absent, 'valid': run.valid(),
        'data_compared': run.verified,
        'loads': {n: r.as_json() for n, r in run.results.items()},
        'instructions': {
            way: {load: count.as_json() for load, count in found.items()}
            for way, found in run.counts.items()},
        'windows': run.windows, 'held': run.held, 'counters': run.counters,
        'targets': [line.as_json() for line in run.lines]}


def rst(run):
    parts = ['.. SPDX-License-Identifier: GPL-2.0-or-later',
             list_table(goals(run), [40, 10, 10, 12, 14, 14])]
    for result in run.results.values():
        parts += [list_table(costs(result), [40, 15, 25, 20]), pair(result)]
    parts += [list_table(counts(run, load), [34, 11, 11, 11, 11, 11, 11])
              for load in loads_counted(run)]
    if run.windows:
        parts.append(list_table(sizes(run), [30, 15, 15, 20, 20]))
    parts.append('\n'.join(f'| {key}: {value}'
                           for key, value in run.setting.items()))
    return '\n\n'.join(parts)


def profile(run, top=45):
    """For each load: functions, and what each way runs in them."""
    parts = []
    for load in loads_counted(run):
        found = {way: c[load] for way, c in run.counts.items() if load in c}
        names = sorted({n for c in found.values() for n in c.functions},
                       key=lambda n: -max(c.functions[n]
                                          for c in found.values()))
        rows = [[f'{load}: instructions a request', *found]]
        rows += [[name, *(f'{c.functions[name]:.1f}' for c in found.values())]
                 for name in names[:top]]
        parts.append(table(rows))
        for what in ('locks', 'atomics'):
            callers = sorted({n for c in found.values()
                              for n in getattr(c, what)},
                             key=lambda n: -max(getattr(c, what)[n]
                                                for c in found.values()))
            rows = [[f'{load}: {what} a request', *found]]
            rows += [[name, *(f'{getattr(c, what)[name]:.2f}'
                              for c in found.values())]
                     for name in callers[:25]]
            parts.append(table(rows))
    return '\n\n'.join(parts)
