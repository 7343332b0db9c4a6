# SPDX-License-Identifier: GPL-2.0-or-later
"""A back end in a process of its own, and the memory that it has."""

import os
import subprocess
import time
from pathlib import Path

MIB = 1 << 20
MEMFD = '/memfd:'


class BackEnd:
    """A program that listens for vhost-user on a socket in `folder`."""

    def __init__(self, folder, command):
        self.socket = folder / 'vhost-user.sock'
        self.log = (folder / 'back-end.log').open('w+b')
        self.process = subprocess.Popen(command(self.socket), stdout=self.log,
                                        stderr=self.log)
        until = time.monotonic() + 30
        while not self.socket.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.log.seek(0)
                raise RuntimeError(f'{self.process.args[0]} did not start: '
                                   f'{self.log.read().decode()}')
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def memory_files(self):
        """{(inode, size)} of the anonymous files that it holds open."""
        found = set()
        for fd in Path(f'/proc/{self.process.pid}/fd').iterdir():
            try:
                if os.readlink(fd).startswith(MEMFD):
                    stat = fd.stat()
                    found.add((stat.st_ino, stat.st_size))
            except FileNotFoundError:
                continue
        return found

    def mapped_files(self):
        """{inode: (name, bytes)} of those that it has mapped."""
        found = {}
        maps = Path(f'/proc/{self.process.pid}/maps').read_text()
        for line in maps.splitlines():
            words = line.split()
            if len(words) > 5 and words[5].startswith(MEMFD):
                start, end = (int(x, 16) for x in words[0].split('-'))
                inode = int(words[4])
                size = found.get(inode, ('', 0))[1] + end - start
                found[inode] = (words[5].removeprefix(MEMFD), size)
        return found


def memory_of(machine):
    """{name: inode} of the anonymous files that QEMU itself holds."""
    found = {}
    for fd in Path(f'/proc/{machine.process.pid}/fd').iterdir():
        name = os.readlink(fd)
        if name.startswith(MEMFD):
            found[name.removeprefix(MEMFD).split()[0]] = fd.stat().st_ino
    return found


def shared_ram(mib):
    """Guest RAM, named ram, that QEMU could hand out."""
    return ['-object', f'memory-backend-memfd,id=ram,size={mib}M,share=on']


def private_ram(mib):
    return ['-object', f'memory-backend-ram,id=ram,size={mib}M,share=off']


def check_all_of_ram(tap, back_end, ram_mib):
    """What a back end ordinarily gets."""
    mapped = back_end.mapped_files()
    tap.note(f'mapped by the back end: {sorted(mapped.values())}')
    tap.ok(sum(size for _, size in mapped.values()) >= ram_mib * MIB,
           'a back end without a window has mapped all of guest RAM', mapped)


def check_window_only(tap, machine, back_end, ram_mib, window_mib):
    """Of memory that QEMU has, the back end has the window."""
    window = memory_of(machine).get('swiotlb')
    mapped = back_end.mapped_files()
    held = back_end.memory_files()
    tap.note(f'mapped by the back end: {sorted(mapped.values())}')
    tap.note(f'memory files held by the back end: {sorted(held)}')
    tap.ok(window in mapped, 'the back end has mapped the window', mapped)
    tap.equal(mapped.get(window, ('', 0))[1], window_mib * MIB,
              'all of it, and once')
    others = {i: m for i, m in mapped.items() if i != window}
    tap.ok(all('inflight' in name for name, _ in others.values()),
           'of memory that QEMU has, it has mapped nothing else', others)
    tap.ok(not any(size >= ram_mib * MIB for _, size in held),
           'no file that it holds is as large as guest RAM', held)
