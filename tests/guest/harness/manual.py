# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of the manual whose commands are all run by a test."""

import importlib.machinery
import importlib.util
from pathlib import Path

READER = Path(__file__).resolve().parents[3] / 'docs' / 'check-commands'


def reader():
    """docs/check-commands, which knows best how to read the manual."""
    loader = importlib.machinery.SourceFileLoader('manual', str(READER))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader('manual', loader))
    loader.exec_module(module)
    return module


class Page:
    """A page, by its path in the source tree."""

    def __init__(self, path):
        self.reader = reader()
        self.blocks = [block for block in self.reader.all_blocks()
                       if block.page == path]

    def run(self, tap, execute):
        """Every command in turn; `execute` returns (status, output)."""
        for block, result in self.reader.steps(self.blocks):
            output = ''
            fails = bool(result) and result.caption == 'Error'
            for command in block.commands():
                status, text = execute(command)
                output += text
                tap.ok((status != 0) == fails, f'{block.where}: {command}',
                       text)
            if result:
                self.reader.check_output(tap, result, output)
