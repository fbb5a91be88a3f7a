import os
import shlex
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.files import list_directory, read_file
from codeflow.tools.search import glob, search_files
from codeflow.tools.workspace import Workspace

PICTURES = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0",
    "jpeg": b"\xff\xd8\xff\xe0\0",
    "gif": b"GIF89a\0",
    "webp": b"RIFF\x01\x02\x03\x04WEBPVP8 ",
}


@pytest.mark.parametrize("kind", PICTURES)
async def test_pictures_are_attached_whatever_their_name(ws: Workspace, kind: str):
    (ws.root / "shot.dat").write_bytes(PICTURES[kind])
    result = await read_file.function(ws, "shot.dat")
    (attachment,) = result.attachments
    assert (attachment.kind, attachment.format, attachment.name) == ("image", kind, "shot.dat")
    assert attachment.data == PICTURES[kind]
    assert "If you cannot see this image, say so" in result.content


async def test_a_pdf_is_attached_as_a_document(ws: Workspace):
    (ws.root / "spec v2.pdf").write_bytes(b"%PDF-1.7\n")
    (attachment,) = (await read_file.function(ws, "spec v2.pdf")).attachments
    assert (attachment.kind, attachment.format) == ("document", "pdf")


def picture(width: int, height: int) -> bytes:
    return PICTURES["png"] + b"\rIHDR" + struct.pack(">II", width, height) + b"\x08\2\0\0\0"


TOO_LARGE = {
    "bytes.png": PICTURES["png"].ljust(3_500_001, b"\0"),
    "too large to be read.gif": PICTURES["gif"].ljust(10_000_001, b"\0"),
    "wide.png": picture(8_001, 1),
    "high.png": picture(1, 8_001),
}


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_picture_too_large_for_models_comes_with_a_command_that_is_there(
    make_workspace: Callable[..., Workspace], env: dict[str, str], tmp_path: Path, name: str
):
    programs = tmp_path / "programs"
    programs.mkdir()
    env["PATH"] = str(programs)
    ws = make_workspace()
    (ws.root / name).write_bytes(TOO_LARGE[name])
    result = await read_file.function(ws, name)
    assert result.is_error
    assert result.attachments == ()
    assert "install ImageMagick or ffmpeg" in result.content
    smaller = f"{Path(name).stem}-small.jpg"
    for program, *arguments in (
        ["sips", "-s", "format", "jpeg", "-Z", "1500", name, "--out", smaller],
        ["magick", f"{name}[0]", "-resize", "1500x1500", smaller],
    ):
        (programs / program).touch(mode=0o755)
        advice = f"Use run_command with `{shlex.join([program, *arguments])}`, then read_file {smaller}."
        assert (await read_file.function(ws, name)).content.endswith(advice)


async def test_a_pdf_too_large_for_models_comes_with_a_program_for_its_text(
    make_workspace: Callable[..., Workspace], env: dict[str, str], tmp_path: Path
):
    env["PATH"] = str(tmp_path)
    ws = make_workspace()
    (ws.root / "-big.pdf").write_bytes(b"%PDF-".ljust(4_000_001, b"\0"))
    assert "install pdftotext" in (await read_file.function(ws, "-big.pdf")).content
    (tmp_path / "pdftotext").touch(mode=0o755)
    result = await read_file.function(ws, "-big.pdf")
    assert result.is_error
    assert result.content.endswith(
        "models take at most 4,000,000. Use run_command with `pdftotext ./-big.pdf -`."
    )


async def test_a_picture_within_the_limits_is_attached(ws: Workspace):
    (ws.root / "a.png").write_bytes(picture(8_000, 8_000))
    assert (await read_file.function(ws, "a.png")).attachments


async def test_text_has_no_attachment(ws: Workspace):
    (ws.root / "a.txt").write_text("GIF89 is a format, %PDF- another\n")
    assert (await read_file.function(ws, "a.txt")).attachments == ()


async def test_hostile_files_end_in_an_error(ws: Workspace, tmp_path: Path):
    os.mkfifo(ws.root / "pipe")
    (ws.root / "loop").symlink_to("loop")
    (ws.root / "null").symlink_to("/dev/null")
    (tmp_path / "secret").write_text("x")
    (ws.root / "out").symlink_to(tmp_path / "secret")
    with (ws.root / "huge").open("wb") as file:
        file.truncate(2 * 2**30)
    for name in ("pipe", "loop", "null", "out", "huge", "../secret"):
        assert (await read_file.function(ws, name)).is_error, name


async def test_a_loop_of_folders_ends(ws: Workspace):
    (ws.root / "deep").mkdir()
    (ws.root / "deep/up").symlink_to("..")
    (ws.root / "deep/a.txt").write_text("needle\n")
    os.mkfifo(ws.root / "deep/pipe")
    assert (await search_files.function(ws, "needle")).content == "deep/a.txt\n    1\tneedle"
    assert (await glob.function(ws, "**/*.txt")).content == "deep/a.txt"
    assert "a.txt" in (await list_directory.function(ws, "deep/up/deep")).content
