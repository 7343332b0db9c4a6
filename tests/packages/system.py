# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian system in a folder."""

import hashlib
import os
import shlex
import tempfile
from pathlib import Path

from common import TOP, attempt, run

# What Debian's package tools keep for themselves, and what is no file's place
NOT_COMPARED = ('/dev', '/proc', '/run', '/tmp', '/var/cache', '/var/lib/apt',
                '/var/lib/dpkg', '/var/log')


def bootstrap(build, name, satisfy, hooks, release=None):
    """An archive of a new system; made once and kept.

    name     of this kind of system
    satisfy  dependencies, as packages declare them
    hooks    commands to end with, in which $1 is the system's root
    release  Debian's, if not the one that runs here
    """
    which = [f'--release={release}'] if release else []
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
        run(TOP / 'scripts' / 'new-system', *which, build.folder, part,
            *(f'--customize-hook={hook}' for hook in hooks))
        part.rename(target)
    return target


class System:
    """A system in a folder, with nothing of it running."""

    def __init__(self, archive, root):
        self.root = root
        root.mkdir()
        run('tar', '-C', root, '--numeric-owner', '-xpf', archive)

    def command(self, *command, shared=()):
        """For subprocess: a command in it, which has no network.

        shared  (folder of ours, where it is in the system)
        """
        mounts = ['mount -t proc proc "$1/proc"',
                  'mount -t sysfs -o ro sysfs "$1/sys"']
        for folder, where in shared:
            inside = shlex.quote(f'{self.root}{where}')
            folder = shlex.quote(str(folder))
            mounts += [f'mkdir -p {inside}', f'mount --bind {folder} {inside}']
        # The shell stays, as somebody has to wait for orphans.
        script = ' && '.join([*mounts, 'chroot "$@"']) + '; exit $?'
        return {
            'args': ['unshare', '--mount', '--pid', '--net', '--fork',
                     '--kill-child', 'sh', '-c', script, 'sh', self.root,
                     *command],
            'env': {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
                    'LC_ALL': 'C.UTF-8', 'HOME': '/root',
                    'DEBIAN_FRONTEND': 'noninteractive'}}

    def run(self, *command, **options):
        """(status, output) of a command in it."""
        inside = self.command(*command)
        return attempt(*inside.pop('args'), **inside, **options)

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
