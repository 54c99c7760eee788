"""A damaged file is refused with its name, what was found and what to do, whoever reads it."""

import gzip
import os
import shlex
import shutil
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import AFFINE, flip, save, set_fields, store, unpacked
from unprivileged import as_nobody, folder_for_everyone

from spatial_erasing.images.image_files import CHUNK_BYTES, Header, whole_chunks
from spatial_erasing.images.volumes import read_volume
from spatial_erasing.ingest.files import describe_grid

READERS = [read_volume, describe_grid]
both_read = pytest.mark.parametrize("read", READERS)
NOISE = np.random.default_rng(0).integers(0, 900, (24, 25, 26)).astype(np.int16)
REMEDY = r"Expected a whole NIfTI .*\. Fetch or convert the file again\."


def refused(read, path, finding):
    with pytest.raises(
        ValueError, match=rf"cannot be read as an image \(.*{finding}.*\)\. {REMEDY}"
    ) as error:
        read(path)
    assert str(error.value).startswith(f"{path} ") and "\n" not in str(error.value)


def noise(path):
    return save(path, NOISE, affine=np.eye(4))


@both_read
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_file_that_ends_early_is_refused(tmp_path, name, share, read):
    path = noise(tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(read, path, "(empty|ends early|ends in the middle|begins with)")


@both_read
def test_gzip_of_half_a_file_is_refused_with_both_lengths(tmp_path, read):
    path = noise(tmp_path / "scan.nii.gz")
    store(path, unpacked(path)[:20000])
    refused(read, path, f"ends early: 20000 of the {352 + 2 * NOISE.size} bytes that its header promises")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9, -5, -1])
def test_a_flipped_byte_of_gzip_is_found_by_its_checksum(tmp_path, place):
    path = flip(noise(tmp_path / "scan.nii.gz"), place)
    refused(read_volume, path, "gzip content is damaged: ")


@pytest.mark.parametrize("place", [-5, 0.5])
def test_a_flipped_byte_of_freesurfer_s_gzip_is_found_too(tmp_path, place):
    path = save(tmp_path / "scan.mgz", NOISE, nib.MGHImage, affine=np.eye(4))
    refused(read_volume, flip(path, place), "gzip content is damaged: ")


@both_read
@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x1f\x8b\x08\x00",
        b"<html>",
        b"the patient moved\n" * 90,
        bytes(5000),
    ],
)
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.mgh", "scan.mgz"])
def test_what_is_no_image_is_refused(tmp_path, content, name, read):
    (tmp_path / name).write_bytes(content)
    refused(read, tmp_path / name, "")


@both_read
@pytest.mark.parametrize("name", ["table.csv", "scan.nii.bz2", "scan.nii.gz.part", "nii"])
def test_another_name_is_that_of_another_format(tmp_path, name, read):
    noise(tmp_path / "scan.nii").rename(tmp_path / name)
    refused(read, tmp_path / name, "name ends like that of another format")


@both_read
def test_a_plain_file_with_the_name_of_a_packed_one_is_refused(tmp_path, read):
    """Browsers unpack .gz silently and keep the name."""
    path = noise(tmp_path / "scan.nii")
    refused(read, path.rename(tmp_path / "scan.nii.gz"), "Not a gzipped file")
    packed = noise(tmp_path / "packed.nii.gz")
    refused(read, packed.rename(tmp_path / "packed.nii"), "no NIfTI header")


@both_read
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_whole_plane_more_than_promised_is_refused_and_less_is_not(tmp_path, name, read):
    path = noise(tmp_path / name)
    plane_bytes = 2 * 24 * 25
    store(path, unpacked(path) + bytes(plane_bytes - 1))
    read(path)
    store(path, unpacked(path) + bytes(1))
    refused(read, path, f"goes on after the {352 + 2 * NOISE.size} bytes that its header promises")


@both_read
def test_a_file_packed_in_blocks_or_with_bytes_to_spare_is_whole(tmp_path, read):
    content = unpacked(noise(tmp_path / "scan.nii"))
    (tmp_path / "blocks.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    (tmp_path / "spare.nii.gz").write_bytes(gzip.compress(content + bytes(32)))
    (tmp_path / "padded.nii.gz").write_bytes(gzip.compress(content) + bytes(512))
    for name in ("blocks", "spare", "padded"):
        result = read(tmp_path / f"{name}.nii.gz")
        if read is describe_grid:
            assert result == describe_grid(tmp_path / "scan.nii")
        else:
            assert np.array_equal(result.intensities, NOISE)


@both_read
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.mgz"])
def test_an_empty_file_is_called_empty(tmp_path, name, read):
    (tmp_path / name).touch()
    refused(read, tmp_path / name, "it is empty, 0 bytes")


@both_read
def test_a_missing_file_says_where_to_correct_its_name(tmp_path, read):
    save(tmp_path / "scan.nii")
    for name in ("lost.nii", "scan.nii/lost.nii"):
        with pytest.raises(FileNotFoundError, match=rf"{name} does not exist\. Correct its row"):
            read(tmp_path / name)


@both_read
def test_a_link_to_content_that_was_not_fetched_says_how_to_fetch_it(tmp_path, read):
    (tmp_path / "scan.nii.gz").symlink_to("../.git/annex/objects/x")
    with pytest.raises(FileNotFoundError, match=r"scan\.nii\.gz is a link to .*annex/objects/x.*datalad get"):
        read(tmp_path / "scan.nii.gz")


@both_read
def test_a_link_in_a_circle_and_a_name_without_end_are_no_files(tmp_path, read):
    (tmp_path / "scan.nii").symlink_to("scan.nii")
    refused(read, tmp_path / "scan.nii", "symbolic links")
    refused(read, tmp_path / f"{'x' * 300}.nii", "File name too long")


@both_read
def test_a_folder_and_a_pipe_are_no_files(tmp_path, read):
    (tmp_path / "scan.nii.gz").mkdir()
    os.mkfifo(tmp_path / "pipe.nii")
    for name, kind in (("scan.nii.gz", "a folder"), ("pipe.nii", "a device or a pipe")):
        with pytest.raises(ValueError, match=rf"{name} is {kind}, not a file.*Name the file itself"):
            read(tmp_path / name)


@both_read
def test_a_file_without_permission_comes_with_the_command_that_gives_it(read):
    with folder_for_everyone() as folder:
        path = save(folder / "scan of 'A'.nii.gz")
        path.chmod(0)
        with pytest.raises(
            PermissionError, match=r"may not be read \(Permission denied, user \d+\)"
        ) as error:
            as_nobody(read, path)
        assert str(error.value).startswith(f"{path} ")
        assert str(error.value).endswith(f"chmod a+r {shlex.quote(str(path))}")
        path.chmod(0o644)
        as_nobody(read, path)


@both_read
def test_a_closed_folder_is_named_by_the_command(read):
    with folder_for_everyone() as folder:
        path = folder / "closed" / "inside" / "scan.nii"
        path.parent.mkdir(parents=True)
        save(path)
        (folder / "closed").chmod(0o600)
        with pytest.raises(PermissionError, match=rf"{path} may not be read .*chmod a\+rx {folder}/closed$"):
            as_nobody(read, path)
        (folder / "closed").chmod(0o700)


def peak_of(function, *args):
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def longer_than_its_header(folder):
    """200 MB of zeros behind a header of 24 x 25 x 26 voxels, in 200 kB."""
    content = unpacked(noise(folder / "scan.nii"))
    bomb = gzip.compress(content) + 10 * gzip.compress(bytes(20 * 2**20))
    (folder / "bomb.nii.gz").write_bytes(bomb)
    return folder / "bomb.nii.gz"


@both_read
def test_a_gzip_bomb_is_left_when_it_is_longer_than_its_header(tmp_path, read):
    path = longer_than_its_header(tmp_path)
    assert peak_of(refused, read, path, "goes on after the") < 5 * 2**20


@both_read
def test_a_promise_of_terabytes_costs_no_memory(tmp_path, read):
    sizes = {f"srow_{axis}": np.eye(4)[line] * 0.015 for line, axis in enumerate("xyz")}
    path = set_fields(noise(tmp_path / "scan.nii.gz"), dim=[3, 30000, 30000, 30000, 1, 1, 1, 1], **sizes)
    peak_bytes = peak_of(
        refused, read, path, f"promises {30000**3 * 2 + 352} bytes, more than .* gzip can hold"
    )
    assert peak_bytes < 2**20


def bytes_of(count):
    """The header of a file that holds as many bytes and nothing else."""
    return Header((count,), AFFINE, np.dtype(np.uint8), offset_bytes=0, spare_bytes=0)


def test_chunks_are_the_content(tmp_path):
    content = np.random.default_rng(1).bytes(2 * CHUNK_BYTES + 5)
    for name in ("x.gz", "x.nii"):
        chunks = list(whole_chunks(store(tmp_path / name, content), bytes_of(len(content))))
        assert b"".join(chunks) == content and max(map(len, chunks)) <= CHUNK_BYTES


def test_no_more_is_unpacked_than_the_header_allows(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(9 * CHUNK_BYTES)))
    chunks = []
    with pytest.raises(ValueError, match="goes on after the 5 bytes"):
        chunks.extend(whole_chunks(tmp_path / "x.gz", bytes_of(5)))
    assert sum(map(len, chunks)) <= 5 + CHUNK_BYTES


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valid files of é")
    yield {name: noise(folder / name) for name in ("scan.nii", "scan.nii.gz")}
    shutil.rmtree(folder)


def result_or_refusal(read, path):
    try:
        return read(path)
    except (ValueError, FileNotFoundError) as error:
        return str(error)


# half of the damage falls on the header, where it matters most
PLACES = st.one_of(st.integers(0, 351), st.integers(0, 40_000))


@settings(deadline=None, max_examples=1200, derandomize=True, database=None)
@given(
    name=st.sampled_from(["scan.nii", "scan.nii.gz"]),
    # a plain file that is cut to just what a changed shape promises would be whole: one or the other
    damage=st.one_of(st.floats(0, 1), st.lists(st.tuples(PLACES, st.integers(1, 255)), max_size=4)),
    inside=st.booleans(),
)
def test_random_damage_is_refused_or_harmless(valid_files, name, damage, inside):
    """Before packing (`inside`: with a right checksum) or after; never another error, never much memory."""
    path = valid_files[name]
    content = bytearray(unpacked(path) if inside else path.read_bytes())
    if isinstance(damage, float):
        content = content[: int(damage * len(content))]
    else:
        for place, mask in damage:
            content[place % len(content)] ^= mask
    damaged = path.with_name(f"damaged {name}")
    if inside:
        store(damaged, content)
    else:
        damaged.write_bytes(content)

    def read_both(path):
        for read in READERS:
            result = result_or_refusal(read, path)
            if isinstance(result, str):
                assert result.startswith("24x25x26 ") or (str(path) in result and "\n" not in result)
            else:
                assert result.intensities.shape == NOISE.shape

    assert peak_of(read_both, damaged) < 8 * 2**20
