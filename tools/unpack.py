"""Unpacks one file of a zip archive.

usage: unpack.py ARCHIVE MEMBER DESTINATION

MEMBER is a shell pattern that must match exactly one file of the archive.
"""

import fnmatch
import shutil
import sys
import zipfile


def main(archive, member, destination):
    with zipfile.ZipFile(archive) as files:
        names = fnmatch.filter(files.namelist(), member)
        if len(names) != 1:
            sys.exit(f"{archive}: {len(names)} files match {member}, but exactly one should")
        with files.open(names[0]) as source, open(destination, "wb") as target:
            shutil.copyfileobj(source, target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
