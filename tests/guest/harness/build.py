# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things lie in the build folder."""

import os
import re
import subprocess
from pathlib import Path

from . import arch

FIRMWARE_PATH = ('/usr/share/seabios', '/usr/share/qemu',
                 '/usr/lib/ipxe/qemu')


# The kernel of Debian's last release: 'newest' is one beyond.
RELEASED = '6.12'


class BuildError(Exception):
    pass


class NoSuchKernel(BuildError):
    pass


def numbers(version):
    """For comparison: 7.3.4 of 7.3.4+deb13-amd64."""
    return [int(n) for n in re.match(r'[\d.]+', version)[0].split('.') if n]


class Kernel:
    def __init__(self, root, version, modules):
        self.root = root
        self.version = version
        self.arch = arch.of(version)
        self.image = root / 'boot' / f'vmlinuz-{version}'
        self.modules = modules


class Build:
    """The build folder; QEMU_BINARY and QEMU_FIRMWARE override parts."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.scratch = self.folder / 'guest-tests'
        self.scratch.mkdir(parents=True, exist_ok=True)

    def qemu(self, guest=arch.AMD64):
        path = self.folder / 'qemu' / f'qemu-system-{guest.qemu}'
        if guest is arch.AMD64:
            path = Path(os.environ.get('QEMU_BINARY', path))
        if not path.exists():
            raise BuildError(f'no {path}: run make first')
        return path

    def qemu_version(self):
        """Of the emulator for amd64, such as 10.2.2"""
        text = subprocess.run([str(self.qemu()), '--version'], check=True,
                              capture_output=True, text=True).stdout
        return re.search(r'version ([0-9.]+)', text)[1]

    def firmware(self, guest=arch.AMD64):
        """The -L folders that hold the files of firmware."""
        given = os.environ.get('QEMU_FIRMWARE', '')
        path = [Path(p) for p in given.split(':') if p]
        path += [self.folder / 'qemu' / 'pc-bios' / 'optionrom']
        path += [Path(p) for p in FIRMWARE_PATH]
        missing = [name for name in guest.bios
                   if not any((p / name).exists() for p in path)]
        if missing:
            raise BuildError(f"no {', '.join(missing)}: install the packages "
                             'seabios and qemu-system-data')
        return [p for p in path if any((p / n).exists() for n in guest.bios)]

    def busybox(self, guest):
        """Its path, None for this system's own."""
        if guest is arch.AMD64:
            return None
        return self.folder / 'kernels' / guest.name / 'busybox'

    def headers(self):
        """The headers of each kernel that our driver is built for, a folder."""
        return [Path(known.read_text().strip()) for known in
                sorted((self.folder / 'kernels').glob('*.headers'))]

    def kernels(self, name=''):
        """Every unpacked kernel, by version; those of an architecture's name
        are in a folder of their own.
        """
        found = {}
        for folder in sorted((self.folder / 'kernels' / name).glob('*')):
            if folder.suffix != '.new':
                for kernel in self.kernels_in(folder):
                    found.setdefault(kernel.version, kernel)
        return found

    def kernels_in(self, folder):
        for image in sorted(folder.glob('boot/vmlinuz-*')):
            version = image.name.partition('-')[2]
            for tree in ('lib', 'usr/lib'):
                modules = folder / tree / 'modules' / version
                if (modules / 'kernel').is_dir():
                    yield Kernel(folder, version, modules)

    def kernel(self, series):
        """The kernel of a series: 6.1 or 6.1:arm64, 'newest', or 'debug'."""
        if series == 'debug':
            return self.test_kernel(series)
        series, _, name = series.partition(':')
        found = self.kernels(name)
        if not found and name:
            raise NoSuchKernel(f'no {name} kernel here')
        if not found:
            raise BuildError(f'no kernel in {self.folder}/kernels: '
                             'run make first')
        if series == 'newest':
            return self.newest()
        for version, kernel in found.items():
            if version == series or version.startswith(series + '.'):
                return kernel
        raise NoSuchKernel(f"no {series} kernel here, only "
                           f"{', '.join(found)}")

    def with_driver(self):
        """The kernels that our driver was built for."""
        for kernel in self.kernels().values():
            try:
                self.driver(kernel)
                yield kernel
            except BuildError:
                continue

    def newest(self):
        """One that is newer than those of Debian's releases."""
        newer = [kernel for kernel in self.with_driver()
                 if numbers(kernel.version)[:2] > numbers(RELEASED)]
        if not newer:
            raise NoSuchKernel('no kernel here is newer than '
                               f'{RELEASED} and has a driver')
        return max(newer, key=lambda kernel: numbers(kernel.version))

    def test_kernel(self, name):
        """One that no distribution has, see scripts/test-kernel."""
        folder = self.folder / f'{name}-kernel'
        for kernel in self.kernels_in(folder):
            return kernel
        raise NoSuchKernel(f'no kernel in {folder}: see scripts/test-kernel')

    def any_kernel(self):
        for kernel in self.with_driver():
            return kernel
        raise BuildError(f'no kernel with a driver in {self.folder}: '
                         'run make first')

    def driver(self, kernel, rogue=False):
        return self.module(kernel, '', '-rogue' if rogue else '')

    def selftest(self, kernel):
        return self.module(kernel, '_selftest', '-selftest')

    def module(self, kernel, name, kind):
        path = (self.folder / 'guest' / f'{kernel.version}{kind}'
                / f'virtio_swiotlb{name}.ko')
        if not path.exists():
            raise BuildError(f'no {path}: run make first')
        return path
