# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's initramfs: the same input gives the same bytes.

It is made without root and without cpio(1), and left uncompressed: emulated
CPUs spend longer on unpacking than the host does on copying.
"""

import hashlib
import lzma
import os
import shutil
import subprocess
from pathlib import Path

from .build import BuildError

GUEST = Path(__file__).resolve().parent.parent / 'guest'

MODULES = ('virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_rng',
           'virtio_console', 'virtio_scsi', 'sd_mod', '9p', '9pnet_virtio',
           'virtiofs', 'ext4', 'crc32c_generic', 'e1000e')

# Newer kernels do without them.
DISPENSABLE = ('crc32c_generic',)

FOLDERS = ('bin', 'dev', 'lib', 'lib/mod', 'lib/mod/rogue', 'mnt', 'proc',
           'run', 'sys', 'tmp')


class More:
    """What a guest needs beyond the usual.

    name     of this collection
    modules  of the kernel, by name
    usual    what most guests have of them
    tools    programs of this system; the libraries they need come along
    files    {path in the guest: path here}
    """

    def __init__(self, name='', modules=(), tools=(), files=None,
                 usual=MODULES):
        self.name = name
        self.modules = (*usual, *modules)
        self.files = dict(files or {})
        for name in tools:
            program = Path(tool(name)).resolve()
            self.files[f'bin/{name}'] = program
            self.files.update(libraries(program))


def tool(name):
    path = shutil.which(name, path=os.environ.get('PATH', '')
                        + ':/usr/sbin:/sbin')
    if not path:
        raise BuildError(f'no {name} on this system')
    return path


def libraries(program):
    """The shared objects that a program needs, and where it looks for them."""
    out = subprocess.run([tool('ldd'), str(program)], check=True,
                         capture_output=True, text=True).stdout
    paths = [word for word in out.split() if word.startswith('/')]
    return {path.lstrip('/'): Path(path).resolve() for path in paths}


def modname(path):
    return Path(path).name.partition('.ko')[0].replace('-', '_')


class ModuleTree:
    """A kernel's modules, and what each of them needs."""

    def __init__(self, kernel):
        self.files = {modname(p): p
                      for p in kernel.modules.glob('kernel/**/*.ko*')}
        builtin = (kernel.modules / 'modules.builtin').read_text()
        self.builtin = {modname(line) for line in builtin.split()}

    def depends(self, path):
        out = subprocess.run([tool('modinfo'), '-F', 'depends', str(path)],
                             check=True, capture_output=True, text=True)
        return [n.replace('-', '_')
                for n in out.stdout.strip().split(',') if n]

    def order(self, name, seen=None):
        """The modules to insert for `name`, in order, itself last."""
        seen = [] if seen is None else seen
        if name in self.builtin or name in seen:
            return seen
        if name not in self.files:
            if name in DISPENSABLE:
                return seen
            raise BuildError(f'the kernel has no module {name}')
        for other in self.depends(self.files[name]):
            self.order(other, seen)
        seen.append(name)
        return seen

    def read(self, name):
        data = self.files[name].read_bytes()
        if self.files[name].suffix == '.xz':
            data = lzma.decompress(data)
        return data


class Cpio:
    """An archive in the `newc` format."""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0

    def add(self, name, mode, content=b'', rdev=(0, 0)):
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0,
                  rdev[0], rdev[1], len(name) + 1, 0)
        self.data += b'070701' + b''.join(b'%08X' % f for f in fields)
        self.data += name.encode() + b'\0'
        self.pad()
        self.data += content
        self.pad()

    def pad(self):
        self.data += bytes(-len(self.data) % 4)

    def add_tree(self, files, known):
        """Files with the folders above them, except those that are known."""
        known = set(known)
        for name, path in sorted(files.items()):
            for folder in reversed(Path(name).parents):
                if str(folder) not in ('.', *known):
                    self.add(str(folder), 0o040755)
                    known.add(str(folder))
            self.add(name, 0o100755, path.read_bytes())

    def finish(self):
        self.add('TRAILER!!!', 0)
        return bytes(self.data)


def make(build, kernel, drivers, more=None):
    """Return the path of the initramfs for `kernel`.

    `drivers` maps a folder below lib/mod ('' or 'rogue') to a module file.
    """
    more = more or More()
    busybox = build.busybox(kernel.arch) or Path(tool('busybox'))
    scripts = sorted(p for p in GUEST.iterdir() if p.is_file())
    inputs = [busybox, Path(__file__), *scripts, *drivers.values(),
              *more.files.values()]

    digest = hashlib.sha256(kernel.version.encode())
    stat = kernel.image.stat()
    digest.update(f'{stat.st_size} {stat.st_mtime_ns}'.encode())
    for folder, path in sorted(drivers.items()):
        digest.update(f'{folder}={path}'.encode())
    digest.update(f'{more.modules} {sorted(more.files)}'.encode())
    for path in inputs:
        digest.update(path.read_bytes())
    cache = build.scratch / kernel.version
    kind = {(): 'bare', ('',): 'driver'}.get(tuple(drivers), 'rogue')
    if more.name:
        kind = f'{more.name}-{kind}'
    target = cache / f'initramfs-{kind}-{digest.hexdigest()[:16]}.cpio'
    if target.exists():
        return target
    for old in cache.glob(f'initramfs-{kind}-*.cpio'):
        old.unlink(missing_ok=True)

    tree = ModuleTree(kernel)
    cpio = Cpio()
    for folder in FOLDERS:
        cpio.add(folder, 0o040755)
    cpio.add('dev/console', 0o020600, rdev=(5, 1))
    cpio.add('bin/busybox', 0o100755, busybox.read_bytes())
    for script in scripts:
        cpio.add(script.name, 0o100755, script.read_bytes())

    cpio.add_tree(more.files, FOLDERS)

    needed = []
    for name in dict.fromkeys(more.modules):
        order = tree.order(name)
        cpio.add(f'lib/mod/{name}.order', 0o100644,
                 ''.join(f'{n}\n' for n in order).encode())
        needed += [n for n in order if n not in needed]
    for name in sorted(needed):
        cpio.add(f'lib/mod/{name}.ko', 0o100644, tree.read(name))
    for folder, path in sorted(drivers.items()):
        order = []
        for other in tree.depends(path):
            tree.order(other, order)
        name = modname(path)
        inside = f'{folder}/{name}' if folder else name
        cpio.add(f'lib/mod/{inside}.ko', 0o100644, path.read_bytes())
        cpio.add(f'lib/mod/{inside}.order', 0o100644,
                 ''.join(f'{n}\n' for n in [*order, inside]).encode())

    cache.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f'.{os.getpid()}')
    part.write_bytes(cpio.finish())
    # Tests run side by side: the last one wins, with the same bytes.
    part.rename(target)
    return target
