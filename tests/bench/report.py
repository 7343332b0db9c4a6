# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures as text."""

from cases import AGAIN, VARIANTS
from run import AGAINST

VOID = 'void: two plain machines differ by more than 5 %'


def text_of(label):
    if label == AGAIN:
        return 'swiotlb=off again (A/A)'
    variant = label.removesuffix(AGAINST)
    text = VARIANTS[variant]
    return f'{text} of the other QEMU' if label != variant else text


def heading(result):
    """Lines that say what was measured, and on what."""
    host, method = result['host'], result['method']
    lines = [f"{host['cpus']} x {host['cpu']}, Linux {host['kernel']}",
             f"QEMU {result['qemu']}"]
    if result['against']:
        lines.append(f"the other QEMU: {result['against']}")
    lines.append(f"{method['rounds']} rounds of {method['slice_ms']} ms, "
                 f"queue depth {method['depth']}")
    return lines


def spread_text(value):
    return f"{value['median']:.2f} ({value['q1']:.2f}-{value['q3']:.2f})"


def case_lines(case):
    yield f"{case['name']}{'' if case['valid'] else '  ' + VOID}"
    for entry in case['results']:
        yield (f"  {text_of(entry['label']):<42}"
               f"{entry['ns']['median']:>10.0f}"
               f"{spread_text(entry['speed']):>22}")


def table(result):
    lines = [*heading(result), '',
             f"{'':<44}{'ns of CPU':>10}{'speed, where':>22}",
             f"{'':<44}{'a request':>10}{'swiotlb=off is 1':>22}"]
    for case in result['cases']:
        lines += ['', *case_lines(case)]
    if any(entry['label'].endswith(AGAINST)
           for case in result['cases'] for entry in case['results']):
        lines += ['', 'In lines with the other QEMU the speed is that of this '
                  'QEMU, where the other is 1.']
    return '\n'.join(lines)
