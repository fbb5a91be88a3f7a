"""Pictures and documents that models read as they are, and what to do with those that are too large for them."""

import io
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal

import imagesize  # type: ignore[import-untyped]  # it has no types

from codeflow.core.values import Attachment
from codeflow.tools.tool import Mistake

_IMAGE_BYTES = 3_500_000
_IMAGE_PIXELS = 8_000
_DOCUMENT_BYTES = 4_000_000
_SMALLER_PIXELS = 1_500
_IMAGES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
_FIT = f"{_SMALLER_PIXELS}x{_SMALLER_PIXELS}"
_SCALERS = {
    ("magick",): f"magick {{first}} -resize {_FIT} {{smaller}}",
    (
        "convert",
        "identify",
    ): f"convert {{first}} -resize {_FIT} {{smaller}}",  # any program may be called convert
    ("gm",): f"gm convert {{first}} -resize {_FIT} {{smaller}}",
    ("vipsthumbnail",): f"vipsthumbnail {{file}} --size {_FIT} -o {{smaller}}",
    ("ffmpeg",): (
        f"ffmpeg -y -i {{file}} -vf scale={_SMALLER_PIXELS}:{_SMALLER_PIXELS}:force_original_aspect_ratio=decrease "
        "-frames:v 1 {smaller}"
    ),
    ("sips",): f"sips -s format jpeg -Z {_SMALLER_PIXELS} {{file}} --out {{smaller}}",
}
"""Programs -> the command that makes a picture fit; `first` is the first picture of an animation."""
_TEXTS = {("pdftotext",): "pdftotext {file} -", ("mutool",): "mutool draw -F txt {file}"}


def attached(path: str, data: bytes, env: Mapping[str, str]) -> Attachment | None:
    """The file as an attachment, judged by its first bytes; None when it is neither a picture nor a PDF.

    Raises:
        Mistake: when it is larger than models take it, with what makes it smaller among the programs of `env`.
    """
    form = format_of(data)
    if form is None:
        return None
    if problem := _too_large(form, data):
        raise Mistake(f"{path} {problem}. {made_smaller(form, path, env)}")
    kind: Literal["image", "document"] = "document" if form == "pdf" else "image"
    return Attachment(kind=kind, format=form, name=PurePosixPath(path).name, data=data)


def format_of(head: bytes) -> str | None:
    """The format, as Converse calls it, of a picture or PDF that begins so; None for any other file."""
    if head.startswith(b"%PDF-"):
        return "pdf"
    return next((name for name, start in _IMAGES.items() if start.match(head)), None)


def made_smaller(form: str, path: str, env: Mapping[str, str]) -> str:
    """What to do with a picture or PDF that is too large: a command of a program that is there."""
    smaller = f"{PurePosixPath(path).with_suffix('')}-small.jpg"
    file = shlex.quote(f"./{path}" if path.startswith("-") else path)
    places = {"file": file, "first": shlex.quote(f"{path}[0]"), "smaller": shlex.quote(smaller)}
    for programs, command in (_TEXTS if form == "pdf" else _SCALERS).items():
        if all(shutil.which(program, path=env.get("PATH")) for program in programs):
            then = "" if form == "pdf" else f", then read_file {smaller}"
            return f"Use run_command with `{command.format(**places)}`{then}."
    if form == "pdf":
        return "Ask the user for its text, or to install pdftotext (poppler), which takes the text out of it."
    return "Ask the user for a smaller picture, or to install ImageMagick or ffmpeg, which make one."


def _too_large(form: str, data: bytes) -> str | None:
    """In which way a file is larger than models take it."""
    most = _DOCUMENT_BYTES if form == "pdf" else _IMAGE_BYTES
    if len(data) > most:
        return f"has {len(data):,} bytes; models take at most {most:,}"
    if form == "pdf":
        return None
    width, height = imagesize.get(io.BytesIO(data))
    if max(width, height) > _IMAGE_PIXELS:
        return f"has {width:,} x {height:,} pixels; models take at most {_IMAGE_PIXELS:,} a side"
    return None
