"""Files as they are or compressed, opened alike."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from data.errors import InputError


def opened(path: Path) -> IO[bytes]:
    """The bytes of a text table, decompressed.

    Raises:
        InputError: a zip file does not hold exactly one file.
    """
    readers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    suffix = path.suffix.lower()
    if suffix == ".zip":
        archive = zipfile.ZipFile(path)
        names = [one.filename for one in archive.infolist() if not one.is_dir() and "__MACOSX" not in one.filename]
        if len(names) != 1:
            raise InputError(f"{path} holds {len(names)} files ({', '.join(names[:5])}), expected one; unpack it")
        return archive.open(names[0])
    stream: IO[bytes] = readers[suffix](path) if suffix in readers else path.open("rb")
    return stream


@contextmanager
def unpacking(path: Path) -> Iterator[None]:
    """Tell of a damaged archive, wherever in it the damage is met.

    Raises:
        InputError: the file cannot be unpacked or read.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be unpacked ({error}); copy it again, or unpack it yourself") from None
