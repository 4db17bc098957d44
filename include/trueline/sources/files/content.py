"""A file's bytes: is it what it should be, how is it packed, which text does it hold."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zlib
from pathlib import Path
from typing import BinaryIO

from trueline.errors import PermanentError
from trueline.sources.files.mapping import FileMapping

MAX_LINE_CHARACTERS = 4 * 1024 * 1024
_SNIFF_BYTES = 512
_GZIP, _ZIP, _OLD_EXCEL = b"\x1f\x8b", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PARQUET = b"PAR1"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8 = frozenset({"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"})


def content_hash(path: Path, fingerprint: str) -> str:
    """SHA-256 of the bytes and of the mapping that reads them."""
    digest = hashlib.sha256(fingerprint.encode())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_kind(path: Path, name: str, mapping: FileMapping, *, may_be_empty: bool) -> None:
    """Refuse what only looks like the promised format.

    Raises:
        PermanentError: an empty file, a web page, a spreadsheet, a cut Parquet or gzip file.
    """
    with opened(path, name) as file:
        try:
            start = file.read(_SNIFF_BYTES)
        except (EOFError, OSError, zlib.error):
            raise cut_off(name, "the gzip stream ends early") from None
    if not start.strip():
        if may_be_empty and not start:
            return
        raise PermanentError(
            "The file is empty.",
            where=name,
            fix="Look at the export that writes it; an export without rows still has a header.",
        )
    is_packed = start.startswith((_ZIP, _OLD_EXCEL))
    if mapping.format == "excel" and not is_packed:
        raise PermanentError(
            "This is not an Excel workbook.",
            where=name,
            fix="Set format in the mapping to what the export writes (csv?), or export a workbook.",
        )
    if is_packed and mapping.format != "excel":
        raise PermanentError(
            "This is a spreadsheet or a zip archive, not text.",
            where=name,
            fix=f"Export it as {mapping.format}, or unpack it.",
        )
    text = start.lstrip(codecs.BOM_UTF8).replace(b"\0", b"").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        raise PermanentError(
            "This is a web page, not a table: probably an error or login page saved as a file.",
            where=name,
            fix="Open it in a browser to see what the exporting system wanted to say.",
        )
    if mapping.format == "parquet":
        _check_parquet(path, name, start)
    elif start.startswith(_PARQUET):
        raise PermanentError(
            "This is a Parquet file.", where=name, fix="Set format: parquet in its mapping."
        )


def _check_parquet(path: Path, name: str, start: bytes) -> None:
    if not start.startswith(_PARQUET):
        raise PermanentError(
            "This is not a Parquet file.", where=name, fix="Check the mapping's format."
        )
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_PARQUET)))
        if file.read() != _PARQUET or path.stat().st_size < 12:
            raise cut_off(name, "the Parquet footer is missing")


def opened(path: Path, name: str) -> BinaryIO:
    """The file for reading, unpacked where its first bytes say gzip, whatever it is called.

    Raises:
        PermanentError: it cannot be opened.
    """
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == _GZIP
        return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise PermanentError(
            f"The file cannot be read ({type(error).__name__}).",
            where=name,
            fix="Check that it still exists and that the user that runs trueline may read it.",
        ) from None


def declared_encoding(start: bytes, encoding: str) -> tuple[bytes, str]:
    """The byte order mark at the start of a file, and the encoding that it or the mapping says."""
    for bom, found in _BOMS:
        if start.startswith(bom):
            return bom, found
    is_utf8 = encoding.replace("_", "-").lower() in _UTF8
    return b"", "utf-8" if is_utf8 else encoding


def wrong_encoding(name: str, encoding: str) -> PermanentError:
    return PermanentError(
        f"The text is not {encoding}.",
        where=name,
        fix="Set encoding in the mapping to what the export writes (Excel on Windows: "
        "cp1252, or utf-16 for Unicode text).",
    )


def too_long(where: str) -> PermanentError:
    return PermanentError(
        f"A line is longer than {MAX_LINE_CHARACTERS:,} characters.",
        where=where,
        fix="Check delimiter, quotes and line ends of the export.",
    )


def cut_off(where: str, sign: str) -> PermanentError:
    return PermanentError(
        f"The file is cut off: {sign}.",
        where=where,
        fix="Let the export finish, or copy the file again; nothing of it was loaded.",
    )


def is_damaged(text: str) -> bool:
    """True for text with bytes that were not valid in the file's encoding."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
