"""Pictures and documents that models read as they are."""

import re
from pathlib import Path

from codeflow.core.values import Attachment
from codeflow.tools.tool import Mistake

_IMAGE_BYTES = 3_500_000
_DOCUMENT_BYTES = 4_000_000
_IMAGES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


def attached(file: Path, data: bytes) -> Attachment | None:
    """The file as an attachment, judged by its first bytes; None when it is neither a picture nor a PDF."""
    for image, start in _IMAGES.items():
        if start.match(data):
            _bound(file, data, _IMAGE_BYTES, "scale it down with run_command")
            return Attachment(kind="image", format=image, name=file.name, data=data)
    if not data.startswith(b"%PDF-"):
        return None
    _bound(file, data, _DOCUMENT_BYTES, "take its text with run_command, such as pdftotext")
    return Attachment(kind="document", format="pdf", name=file.name, data=data)


def _bound(file: Path, data: bytes, most: int, instead: str) -> None:
    if len(data) > most:
        raise Mistake(
            f"{file.name} has {len(data):,} bytes; models take at most {most:,}. To use it, {instead}."
        )
