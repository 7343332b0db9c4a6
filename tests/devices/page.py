# SPDX-License-Identifier: GPL-2.0-or-later
"""The table in the user guide."""

import textwrap

from common import ROOT

PAGE = ROOT / 'docs' / 'user-guide' / 'devices.rst'
BEGIN = '.. The table below is made by tests/devices/table --write.\n'
END = '.. The table ends here.\n'
HEAD = '''
.. list-table::
   :header-rows: 1
   :widths: 25 10 65

   * - type
     - result
     - what the test does with it, or why it is refused and what to use instead
'''
WIDTH = 95


def cell(text):
    return '\n'.join(textwrap.wrap(text, WIDTH, initial_indent='     - ',
                                   subsequent_indent='       ',
                                   break_long_words=False,
                                   break_on_hyphens=False)) + '\n'


def render(rows):
    """`rows`: (type, result, text), none of them empty."""
    table = HEAD
    for qtype, result, text in sorted(rows):
        table += f'   * - ``{qtype}``\n' + cell(result) + cell(text)
    return BEGIN + table + '\n' + END


def halves():
    """The page before and after its table, and the table."""
    text = PAGE.read_text(encoding='utf-8')
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    return before, BEGIN + table + END, after


def write(table):
    before, _, after = halves()
    PAGE.write_text(before + table + after, encoding='utf-8')
