"""Opens a ZIP archive from outside: what could be a trap is refused before it is unpacked."""

import io
import re
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

from services.geofence.layers.faults import LayerInvalid, whole_file

MOST_MEMBERS = 200
LARGEST_TOTAL = 1_000_000_000
# Blank columns of a table shrink by fifty; a bomb by a thousand.
STEEPEST, STEEP_FROM = 200, 1_000_000
# PKWARE APPNOTE 4.3.12: how each entry of the table of contents begins.
_CONTENTS_ENTRY = b"PK\x01\x02"
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NESTED = {".zip", ".kmz", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"}
_UNSAFE = re.compile(r"[\\:\x00-\x1f]")


class Archive:
    """The members of a harmless archive by name, unpacked one by one when they are asked for."""

    def __init__(self, opened: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
        self._opened = opened
        self._members = members

    @property
    def names(self) -> list[str]:
        """The names of the members in the archive's order."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """Unpack one member.

        Raises:
            LayerInvalid: it is broken.
        """
        try:
            # Asked for all, zipfile unpacks all there is, whatever the size that was declared.
            with self._opened.open(self._members[name]) as member:
                return member.read(self._members[name].file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            raise _broken() from None


def open_archive(data: bytes) -> Archive:
    """Look through an archive's table of contents and open it.

    Raises:
        LayerInvalid: it is none, or holds other archives, links, odd names, or far too much.
    """
    # Counted and not listed: a table of contents of 60,000 members takes half a second to read.
    if data.count(_CONTENTS_ENTRY) > MOST_MEMBERS:
        raise whole_file("too-large", f"The archive has more than {MOST_MEMBERS} members.")
    try:
        opened = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise _broken() from None
    found = opened.infolist()
    if sum(member.file_size for member in found) > LARGEST_TOTAL:
        raise whole_file("too-large", "The archive unpacks to more than is read.")
    members: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        _check(member)
        if member.is_dir() or member.filename.startswith("__MACOSX/"):
            continue
        if member.filename in members:
            raise whole_file("unsafe-archive", "The archive has two members of one name.")
        members[member.filename] = member
    return Archive(opened, members)


def _check(member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename)
    if _UNSAFE.search(member.orig_filename) or name.is_absolute() or ".." in name.parts:
        raise whole_file("unsafe-archive", "A member's name leads out of the archive.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise whole_file("unsafe-archive", "The archive holds a link.")
    if name.suffix.lower() in _NESTED:
        raise whole_file("unsafe-archive", "The archive holds another archive.")
    if member.flag_bits & 1 or member.compress_type not in _PLAIN:
        raise whole_file("unsafe-archive", "The archive is locked or packed in an unusual way.")
    if member.file_size > STEEP_FROM and member.file_size > STEEPEST * member.compress_size:
        raise whole_file("too-large", "A member unpacks to far more than it should.")


def _broken() -> LayerInvalid:
    return whole_file("malformed-zip", "The file is not a whole ZIP archive.")
