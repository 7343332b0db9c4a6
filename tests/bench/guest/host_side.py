# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that the host looks into."""

from harness.host import MIB, md5


class Image:
    def __init__(self, path, mib):
        self.path = path
        with path.open('wb') as file:
            file.truncate(mib * MIB)

    def head(self, mib):
        with self.path.open('rb') as file:
            return file.read(mib * MIB)

    def sum(self, mib):
        return md5(self.head(mib))

    def is_blank(self):
        return not any(self.head(1))


def blank(path, mib):
    return Image(path, mib)
