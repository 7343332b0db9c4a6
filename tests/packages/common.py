# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that were built."""

import re
import subprocess
import sys
import tarfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(TOP / 'tests' / 'guest'))

from harness.build import BuildError  # noqa: E402 pylint: disable=C0413

VERSION = re.search(r"^ *version: '(.*)'",
                    (TOP / 'meson.build').read_text(), re.M)[1]

QEMU, DKMS, TOOLS, DOC = NAMES = [
    'qemu-system-x86-swiotlb', 'virtio-swiotlb-dkms', 'virtio-swiotlb-tools',
    'virtio-swiotlb-doc']
MAN = '/usr/share/man/man1/{}.1.gz'
SOURCES = f'/usr/src/virtio-swiotlb-{VERSION}'


class Package:
    """A file that dpkg installs."""

    def __init__(self, path):
        self.path = path
        fields = run('dpkg-deb', '--field', path)
        self.fields = dict(re.findall(r'^([\w-]+): (.*)$', fields, re.M))
        self.name = self.fields['Package']

    def members(self):
        """{path from the root: entry of the archive} without folders."""
        with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', self.path],
                              stdout=subprocess.PIPE) as archive, \
                tarfile.open(fileobj=archive.stdout, mode='r|') as tar:
            return {member.name.removeprefix('.'): member for member in tar
                    if not member.isdir()}


def packages(build):
    """Those that `make deb` has left, by name."""
    found = map(Package, sorted((build.folder / 'deb').glob('*.deb')))
    return {package.name: package for package in found}


def attempt(*command, **options):
    """(exit status, output) of a command."""
    result = subprocess.run(list(map(str, command)), text=True, check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, **options)
    return result.returncode, result.stdout


def run(*command, **options):
    """The output of a command that has to succeed."""
    status, output = attempt(*command, **options)
    if status:
        raise BuildError(f'{command[0]} failed\n{output}')
    return output


def emulators(build):
    """The programs that make has built."""
    return sorted(path.name for path in
                  (build.folder / 'qemu').glob('qemu-system-*')
                  if path.is_file())
