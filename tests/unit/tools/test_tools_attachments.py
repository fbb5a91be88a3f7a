import os
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


@pytest.mark.parametrize(("start", "size"), [(PICTURES["png"], 3_500_001), (b"%PDF-", 4_000_001)])
async def test_what_models_refuse_for_its_size_is_refused_here(ws: Workspace, start: bytes, size: int):
    (ws.root / "big").write_bytes(start.ljust(size, b"\0"))
    result = await read_file.function(ws, "big")
    assert result.is_error
    assert "run_command" in result.content
    assert result.attachments == ()


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
