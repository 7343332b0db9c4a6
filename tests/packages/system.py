# SPDX-License-Identifier: GPL-2.0-or-later
"""A system of this system's release, in a folder."""

import hashlib
import os
import tempfile
from pathlib import Path

from common import TOP, attempt, run

# What Debian's package tools keep for themselves, and what is no file's place
NOT_COMPARED = ('/dev', '/proc', '/run', '/tmp', '/var/cache', '/var/lib/apt',
                '/var/lib/dpkg', '/var/log')


def bootstrap(build, name, satisfy, hooks):
    """An archive of a new system of this release; made once and kept.

    name     of this kind of system
    satisfy  dependencies, as packages declare them
    hooks    commands to end with, in which $1 is the system's root
    """
    digest = hashlib.sha256('\n'.join([*satisfy, *hooks]).encode())
    target = build.scratch / f'{name}-{digest.hexdigest()[:16]}.tar'
    if target.exists():
        return target
    for old in build.scratch.glob(f'{name}-*.tar'):
        old.unlink()
    needs = ' '.join(f"'{depends}'" for depends in satisfy)
    hooks = ['chroot "$1" apt-get -qq --no-install-recommends satisfy '
             + needs, *hooks]
    with tempfile.TemporaryDirectory(dir=build.scratch) as folder:
        part = Path(folder) / 'system.tar'
        run(TOP / 'scripts' / 'new-system', build.folder, part,
            *(f'--customize-hook={hook}' for hook in hooks))
        part.rename(target)
    return target


class System:
    """A system in a folder, with nothing of it running."""

    def __init__(self, archive, root):
        self.root = root
        root.mkdir()
        run('tar', '-C', root, '--numeric-owner', '-xpf', archive)

    def run(self, *command, **options):
        """(status, output) of a command in it; it has no network."""
        return attempt(
            'unshare', '--mount', '--pid', '--net', '--fork', '--kill-child',
            'sh', '-c', 'mount -t proc proc "$1/proc" && exec chroot "$@"',
            'sh', self.root, *command, env={
                'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8',
                'HOME': '/root', 'DEBIAN_FRONTEND': 'noninteractive'},
            **options)

    def install(self, debs):
        """dpkg's, which fetches nothing that would be missing."""
        inside = []
        for deb in debs:
            target = self.root / 'tmp' / deb.name
            target.write_bytes(deb.read_bytes())
            inside.append(f'/tmp/{deb.name}')
        return self.run('dpkg', '-i', *inside)

    def files(self):
        """{path: what it is}, folders too."""
        found = {}
        for folder, names, others in os.walk(self.root):
            at = '/' + os.path.relpath(folder, self.root).removeprefix('.')
            names[:] = [name for name in names
                        if os.path.join(at, name) not in NOT_COMPARED]
            for name in names + others:
                path = os.path.join(folder, name)
                found[os.path.join(at, name)] = what_it_is(path)
        return found


def what_it_is(path):
    stat = os.lstat(path)
    content = ''
    if os.path.islink(path):
        content = os.readlink(path)
    elif os.path.isfile(path):
        with open(path, 'rb') as file:
            content = hashlib.file_digest(file, 'md5').hexdigest()
    return f'{stat.st_mode:o} {stat.st_uid}:{stat.st_gid} {content}'
