# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files are ours, for the tests that read them."""

import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SCRIPTS = os.path.join(ROOT, 'scripts')
# What debian-source ends with
NOT_SERVED = 3
sys.path.insert(0, os.path.join(ROOT, 'tests/guest'))

from harness.tap import Tap  # noqa: E402,F401 pylint: disable=C0413,W0611


def our_files():
    """Every file of the source tree, by path from its root."""
    for folder, folders, names in os.walk(ROOT):
        if folder == ROOT:
            # Build folders are known by what configure leaves in them.
            folders[:] = [f for f in folders if f != '.git' and not
                          os.path.isdir(os.path.join(folder, f, 'logs'))
                          and not f.startswith('build')]
        folders[:] = sorted(f for f in folders if f != '__pycache__')
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read()


def interpreter(path):
    """The program that a script's first line names, or ''."""
    with open(os.path.join(ROOT, path), 'rb') as f:
        line = f.readline().decode(errors='replace')
    if not line.startswith('#!'):
        return ''
    words = line[2:].split()
    if os.path.basename(words[0]) == 'env':
        words = words[1:]
    return os.path.basename(words[0])


def linux_source(build):
    """The folder with the parts of Linux that are of use here."""
    return subprocess.run(
        [os.path.join(SCRIPTS, 'linux-source'), build], text=True,
        check=True, stdout=subprocess.PIPE).stdout.strip()


def qemu_trees(build, tap):
    """The sources of QEMU that there are, first those in use.

    Points tell whether apt has any.
    """
    in_use = os.path.realpath(os.path.join(build, 'qemu-pristine'))
    found = [in_use]
    if not shutil.which('apt-get'):
        return found
    script = [os.path.join(SCRIPTS, 'debian-source'), 'qemu', build]
    listed = subprocess.run([*script, 'list'], text=True, check=True,
                            stdout=subprocess.PIPE).stdout.split()
    tap.ok(listed, 'apt lists source packages of QEMU 10.0 or newer')
    served = 0
    for version in listed:
        result = subprocess.run([*script, 'fetch', version], text=True,
                                check=False, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        if result.returncode == 0:
            served += 1
            path = os.path.realpath(result.stdout.strip())
            if path not in found:
                found.append(path)
        elif result.returncode == NOT_SERVED:
            tap.skip(f'QEMU {version}', 'the mirror does not serve it')
        else:
            tap.ok(False, f'QEMU {version} can be fetched', result.stderr)
    tap.ok(served, 'apt serves one of them')
    return found
