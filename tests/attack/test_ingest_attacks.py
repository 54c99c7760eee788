"""What a data set, an archive or a table from a stranger may try, and the line that answers it."""

import gzip
import io
import os
import shutil
import tarfile
import threading
import zipfile
from collections import namedtuple
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from raw_files import VALUES, save, set_fields
from scipy.ndimage import gaussian_filter

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.ingest import download as download_module
from spatial_erasing.ingest.archive import RECORD, fetch_archive, unpack
from spatial_erasing.ingest.download import download
from spatial_erasing.ingest.listing import list_or_keep
from spatial_erasing.ingest.scans import COLUMNS, list_scans
from spatial_erasing.ingest.source import source_signature
from spatial_erasing.ingest.unfit import mark_rescaled
from spatial_erasing.split.assign import require_own_brains


def add(tar, name, content=b"", **settings):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in settings.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(content))


def chain_of_links(tar, outside):
    """CVE-2025-4517: links to folders, so long together that a resolved path is longer than PATH_MAX."""
    long, steps, path = "d" * 247, "abcdefghijklmnop", ""
    for step in steps:
        add(tar, os.path.join(path, long), type=tarfile.DIRTYPE)  # noqa: PTH118 - pathlib would tidy it
        add(tar, os.path.join(path, step), type=tarfile.SYMTYPE, linkname=long)  # noqa: PTH118
        path = os.path.join(path, long)  # noqa: PTH118
    last = "/".join(steps) + "/" + "l" * 254
    add(tar, last, type=tarfile.SYMTYPE, linkname="../" * len(steps))
    add(tar, "escape", type=tarfile.SYMTYPE, linkname=f"{last}/../../{outside.name}")
    add(tar, "pwned", type=tarfile.LNKTYPE, linkname="escape/pwned.py")
    add(tar, "pwned", b"overwritten")


def link_then_file(tar, outside):
    add(tar, "folder", type=tarfile.SYMTYPE, linkname=str(outside))
    add(tar, "folder/pwned.py", b"overwritten")


def link_to_itself_as_folder(tar, outside):
    add(tar, "here", type=tarfile.SYMTYPE, linkname=".")
    add(tar, f"here/../../{outside.name}/pwned.py", b"overwritten")


def hard_link_to_our_record(tar, _):
    add(tar, "IXI001-HH-1-T1.nii.gz", b"a scan")
    add(tar, RECORD, type=tarfile.LNKTYPE, linkname="IXI001-HH-1-T1.nii.gz")


def absolute_link(tar, outside):
    add(tar, "pwned", type=tarfile.SYMTYPE, linkname=str(outside / "pwned.py"))
    add(tar, "pwned", b"overwritten")


def parent_in_the_middle(tar, outside):
    add(tar, f"a/b/../../../../{outside.name}/pwned.py", b"overwritten")


def deep_folders(tar, _):
    for depth in range(1, 1500):
        add(tar, "a/" * depth, type=tarfile.DIRTYPE)


ARCHIVES = {
    "S1 chain of links longer than PATH_MAX": (chain_of_links, "'a', which is a link"),
    "S1 file below a link": (link_then_file, "'folder', which is a link"),
    "S1 link to its own folder": (link_to_itself_as_folder, "'here', which is a link"),
    "S1 absolute link": (absolute_link, "'pwned', which is a link"),
    "S1 name with parents": (parent_in_the_middle, "a name outside its folder"),
    "S1 folders in folders": (deep_folders, "a file below 64 folders"),
    "S3 link in place of our record": (hard_link_to_our_record, "'.fetched.json', which is a hard link"),
}


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz"])
@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_writes_nothing_outside_its_folder(tmp_path, case, kind):
    write, expected = ARCHIVES[case]
    inner, outside = tmp_path / "downloads/ixi", tmp_path / "downloads/library"
    inner.mkdir(parents=True)
    outside.mkdir()
    (outside / "pwned.py").write_text("ours")
    with tarfile.open(tmp_path / "x.tar", kind) as tar:
        write(tar, outside)
    with pytest.raises(ValueError, match="Do not trust it") as error:
        unpack(tmp_path / "x.tar", inner)
    assert expected in str(error.value) and f"rm {tmp_path}/x.tar" in str(error.value)
    assert (outside / "pwned.py").read_text() == "ours"
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


def three_scans(end):
    """The bytes of a .tar of three files, each of a header and a block, up to an end."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for number in range(3):
            add(tar, f"scan{number}.nii", b"x" * 512)
    return stream.getvalue()[:end]


def flipped(content, place):
    content = bytearray(content)
    content[place] ^= 1
    return bytes(content)


DAMAGES = {
    "L1 second header damaged": (flipped(three_scans(None), 1034), "at byte 1,024"),
    "L1 cut behind a file": (three_scans(1024), "at byte 1,024"),
    "L1 cut within a header": (three_scans(1100), "at byte 1,024"),
    "L1 cut behind the last file": (three_scans(3072), "at byte 3,072"),
    "L1 no file": (bytes(10240), "it holds no file"),
}


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("case", DAMAGES)
def test_a_part_of_an_archive_is_not_taken_for_the_whole(tmp_path, case, packed):
    content, expected = DAMAGES[case]
    (tmp_path / "x.tar").write_bytes(packed(content))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"cannot be unpacked .*Expected a whole .*\n    rm ") as error:
        unpack(tmp_path / "x.tar", tmp_path / "folder")
    assert expected in str(error.value)


@pytest.mark.parametrize("damage", [lambda packed: flipped(packed, -6), lambda packed: packed[:-4]])
def test_the_checksum_at_the_end_of_an_archive_is_read(tmp_path, damage):
    (tmp_path / "x.tar.gz").write_bytes(damage(gzip.compress(three_scans(None))))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"CRC check failed|end-of-stream"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "folder")


RECORDS = {
    "S3 our record as a file": {RECORD: b'{"url": "evil", "sha256": ""}'},
    "S3 our record as a folder": {f"{RECORD}/x": b"1"},
    "S3 our record under another spelling": {f"./{RECORD.upper()}": b"1"},
}


@pytest.mark.parametrize("write", ["tar", "zip"])
@pytest.mark.parametrize("case", RECORDS)
def test_a_record_inside_an_archive_never_meets_ours(tmp_path, case, write, monkeypatch):
    files = RECORDS[case] | {"scan.nii": b"a scan"}

    def fetched(_, target, **__):
        target.parent.mkdir(parents=True)
        if write == "zip":
            with zipfile.ZipFile(target, "w") as packed:
                for name, content in files.items():
                    packed.writestr(name, content)
            return
        with tarfile.open(target, "w") as tar:
            for name, content in files.items():
                add(tar, name, content)

    monkeypatch.setattr("spatial_erasing.ingest.archive.download", fetched)
    record = fetch_archive("http://x/x.tar", tmp_path / "downloads/ixi", sha256=None)
    assert record["url"] == "http://x/x.tar"
    assert {path.name for path in (tmp_path / "downloads/ixi").iterdir()} == {RECORD, "scan.nii"}
    assert fetch_archive("http://x/x.tar", tmp_path / "downloads/ixi", sha256=None) == record


BOMBS = {
    "S6 one large file": [10_000_000],
    "S6 many files": [100_000] * 100,
    "S6 many empty files": [0] * 2_000,
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_is_counted_while_it_is_unpacked(tmp_path, case, monkeypatch):
    with tarfile.open(tmp_path / "bomb.tar.xz", "w:xz", preset=0) as tar:
        for number, size in enumerate(BOMBS[case]):
            add(tar, str(number), bytes(size))
    (tmp_path / "folder").mkdir()
    free = namedtuple("usage", "free")(5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(ValueError, match=r"Expected at most 4\.5 MB, 90 % of what is free.*Make room"):
        unpack(tmp_path / "bomb.tar.xz", tmp_path / "folder")
    assert sum(path.stat().st_size for path in (tmp_path / "folder").iterdir()) < free.free


class Server(BaseHTTPRequestHandler):
    """Answers as the attribute of its server says; counts the questions."""

    def do_GET(self):
        self.server.questions += 1
        status, headers, body = self.server.answer
        if self.server.questions > 4 * download_module.TRIES:  # a loop, which the test then sees
            status = 410
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.questions = 0
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.01)).start()
    yield server
    server.shutdown()
    server.server_close()


ANSWERS = {
    "N1 200 without a body": (200, {}, b"", "answered 200 OK without a single byte"),
    "N1 200 with length 0": (200, {"Content-Length": "0"}, b"", "answered 200 OK without a single byte"),
    "N1 206 without a body": (206, {"Content-Range": "bytes 0-0/*"}, b"", "without a single byte"),
    "S4 redirect to ftp": (302, {"Location": "ftp://127.0.0.1/x"}, b"", "leads on to ftp://127.0.0.1/x"),
    "S4 redirect to FTP": (302, {"Location": "FTP://127.0.0.1/x"}, b"", "leads on to ftp://127.0.0.1/x"),
    "S4 redirect to a file": (302, {"Location": "file:///etc/passwd"}, b"", "answered 302"),
    "S4 redirect to itself": (302, {"Location": "/"}, b"", "answered 302"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_server_costs_an_error_and_no_loop(tmp_path, server, case):
    *server.answer, expected = ANSWERS[case]
    with pytest.raises(ValueError, match="Expected") as error:
        download(f"http://127.0.0.1:{server.server_port}/x.tar", tmp_path / "x.part", pause_seconds=0.001)
    assert expected in str(error.value)
    assert server.questions <= 2 * download_module.TRIES
    assert not Path(tmp_path, "x.part").exists() or not Path(tmp_path, "x.part").stat().st_size


def list_table(folder, cells):
    """What a study would list of a table with one line, and what it would write."""
    save(folder / "a.nii")
    header = "subject,scanner,t1,lesion,brain_mask\n"
    line = {"subject": "p1", "scanner": "A", "t1": "a.nii", "lesion": "", "brain_mask": ""} | cells
    (folder / "scans.csv").write_text(header + ",".join(line.values()) + "\n")
    rows = list_scans("table", folder / "scans.csv", sequences=["t1"], skull_strip="none", cohort="healthy")
    write_rows(folder / "listed.csv", rows, columns=COLUMNS)
    return (folder / "listed.csv").read_text()


CELLS = {
    "D7 a secret in the scan's path": ({"t1": "${SECRET_TOKEN}/x.nii"}, "names the variable SECRET_TOKEN"),
    "D7 a secret in a lesion": ({"lesion": "x.nii;${SECRET_TOKEN}"}, "names the variable SECRET_TOKEN"),
    "D7 a secret in a brain mask": ({"brain_mask": "a${HOME}b"}, "names the variable HOME"),
    "D7 a variable that is not set": ({"t1": "${NO_SUCH}"}, "names the variable NO_SUCH"),
    "D5 the home of nobody": (
        {"t1": "~nosuchuser/x.nii"},
        "~nosuchuser/x.nii begins with the home of an unknown user",
    ),
    "D6 NUL in the scan's path": ({"t1": "a\0.nii"}, "'a\\x00.nii' contains a NUL character"),
    "D6 NUL in a lesion": ({"lesion": "a\0.nii"}, "'a\\x00.nii' contains a NUL character"),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_cell_of_a_foreign_table_is_refused_with_its_line(tmp_path, case, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    cells, expected = CELLS[case]
    with pytest.raises(ValueError, match=r"scans\.csv line 2: .*Expected .*Write ") as error:
        list_table(tmp_path, cells)
    assert expected in str(error.value) and "hunter2" not in str(error.value)


SCANNERS = {
    "D8 a command": ("=cmd|'/C calc'!A0", ",'=cmd|'/C calc'!A0,"),
    "D8 a sum": ("@SUM(A1)", ",'@SUM(A1),"),
    "D8 plus": ("+A1", ",'+A1,"),
    "D8 minus": ("-A1", ",'-A1,"),
    "D8 a space of no width in front": ("\u200b+A1", ",'\u200b+A1,"),
    "D8 a small equals sign": ("\ufe66A1", ",'\ufe66A1,"),
    "D8 a minus sign": ("\u2212A1", ",'\u2212A1,"),
    "D8 behind a semicolon": ("a;=A1; @B2", ",a;'=A1;' @B2,"),
    "D8 a dash is no formula": ("-", ",-,"),
    "D8 a number is no formula": ("-1.5", ",-1.5,"),
}


@pytest.mark.parametrize("case", SCANNERS)
def test_a_scanner_runs_in_no_spreadsheet(tmp_path, case):
    scanner, expected = SCANNERS[case]
    assert expected in list_table(tmp_path, {"scanner": scanner})


def packed_anew(source, target):
    target.write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), 1))


def converted(source, target, **kind):
    image = nib.load(source)
    nib.save(nib.Nifti1Image(image.get_fdata().astype(kind.get("stored_as", np.int16)), image.affine), target)


def turned(source, target):
    nib.save(nib.as_closest_canonical(nib.load(source)), target)


TWINS = {
    "Q3 listed again": ("twin.nii.gz", shutil.copy),
    "Q3 packed anew": ("twin.nii.gz", packed_anew),
    "Q3 unpacked": ("twin.nii", converted),
    "Q3 saved as float64": ("twin.nii.gz", partial(converted, stored_as=np.float64)),
    "Q3 saved as .mgz": ("twin.mgz", lambda source, target: nib.save(nib.load(source), target)),
    "A3 voxels that begin nowhere": (
        "twin.nii.gz",
        lambda source, target: (shutil.copy(source, target), set_fields(target, vox_offset=0)),
    ),
    "Q3 turned to RAS": ("twin.nii.gz", turned),
}


@pytest.mark.parametrize("case", TWINS)
def test_one_brain_is_in_one_cohort_and_there_once(tmp_path, case):
    name, copy = TWINS[case]
    save(tmp_path / "a.nii.gz")
    save(tmp_path / "b.nii.gz", VALUES + 1)
    copy(tmp_path / "a.nii.gz", tmp_path / name)
    header = "subject,scanner,t1\n"
    (tmp_path / "one.csv").write_text(f"{header}a,S,a.nii.gz\nb,S,b.nii.gz\n")
    (tmp_path / "other.csv").write_text(f"{header}x,S,{name}\n")
    (tmp_path / "both.csv").write_text(f"{header}a,S,a.nii.gz\nb,S,b.nii.gz\nx,S,{name}\n")
    one, other, both = (
        list_scans("table", tmp_path / f"{table}.csv", sequences=["t1"], skull_strip="none", cohort=table)
        for table in ("one", "other", "both")
    )
    require_own_brains(one)
    assert [row["status"] for row in both] == ["found", "found", "skipped"]
    assert both[2]["reason"].startswith("same content: ")
    with pytest.raises(ValueError, match="1 scan lies in two cohorts") as error:
        require_own_brains([*one, *other])
    assert f"{tmp_path}/a.nii.gz (one a t1) and {tmp_path}/{name} (other x t1)" in str(error.value)
    assert "  other,x,the same scan as one a" in str(error.value)


def head(seed):
    """A smooth scan of one of two brains of one scanner, with a background of 0."""
    depth = 1 - np.linalg.norm(np.moveaxis(np.indices((30, 32, 28)), 0, -1) - 15, axis=-1) / 14
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=depth.shape), 2)
    return np.where(depth > 0, np.round(500 + 300 * depth + 900 * noise), 0).clip(0)


FIRST = head(1)
INSIDE = FIRST[FIRST > 0]
SPACING = np.diag([6.0, 6.0, 6.0, 1.0])
# the same brain once more: (its intensities, its affine)
RESCALED = {
    "T1 by a factor": (FIRST.astype(np.float32) * np.float32(0.37), SPACING),
    "T1 from 0 to 1": ((FIRST / FIRST.max()).astype(np.float32), SPACING),
    "T1 from 0 to 1000, rounded": (np.round(FIRST / FIRST.max() * 1000).astype(np.int16), SPACING),
    "T1 z-scored": (((FIRST - FIRST.mean()) / FIRST.std()).astype(np.float32), SPACING),
    "T1 z-scored inside the brain": (
        np.where(FIRST, (FIRST - INSIDE.mean()) / INSIDE.std(), 0).astype(np.float32),
        SPACING,
    ),
    "T1 with an offset": ((FIRST - 1000).astype(np.int16), SPACING),
    "T1 by a factor, turned": ((FIRST[::-1] * 2).astype(np.float32), np.diag([-6.0, 6.0, 6.0, 1.0])),
    "T1 by a factor, padded": (np.pad(FIRST * 2, 2).astype(np.float32), SPACING),
}


@pytest.mark.parametrize("case", RESCALED)
def test_one_brain_in_another_unit_is_one_brain(tmp_path, case):
    values, affine = RESCALED[case]
    save(tmp_path / "a.nii.gz", FIRST.astype(np.int16), affine=SPACING)
    save(tmp_path / "b.nii.gz", head(2).astype(np.int16), affine=SPACING)
    save(tmp_path / "x.nii.gz", values, affine=affine)
    tables = {"one": "ab", "other": "x", "both": "abx"}
    for name, subjects in tables.items():
        lines = [f"{subject},S,{subject}.nii.gz\n" for subject in subjects]
        (tmp_path / f"{name}.csv").write_text("subject,scanner,t1\n" + "".join(lines))
    one, other, both = (
        list_scans("table", tmp_path / f"{table}.csv", sequences=["t1"], skull_strip="none", cohort=table)
        for table in tables
    )
    assert [row["status"] for row in both] == ["found", "found", "skipped"]
    assert "x.nii.gz has the same voxels up to a factor and an offset as " in both[2]["reason"]
    mark_rescaled([*one, *other])
    require_own_brains(one)
    with pytest.raises(ValueError, match="1 scan lies in two cohorts") as error:
        require_own_brains([*one, *other])
    assert "(one a t1) and " in str(error.value) and "(other x t1), in another unit" in str(error.value)


def test_two_brains_of_one_histogram_are_two_brains(tmp_path):
    save(tmp_path / "a.nii.gz", FIRST.astype(np.int16), affine=SPACING)
    shuffled = FIRST.copy()
    shuffled[FIRST > 0] = 2 * np.random.default_rng(0).permutation(INSIDE)
    save(tmp_path / "b.nii.gz", shuffled.astype(np.int16), affine=SPACING)
    (tmp_path / "t.csv").write_text("subject,scanner,t1\na,S,a.nii.gz\nb,S,b.nii.gz\n")
    rows = list_scans("table", tmp_path / "t.csv", sequences=["t1"], skull_strip="none", cohort="one")
    assert [row["status"] for row in rows] == ["found"] * 2
    assert rows[0]["moments"] == rows[1]["moments"] != ""


IXI, BRATS, ATLAS = "IXI001-HH-1211-T1.nii.gz", "BraTS19_A_1_1/BraTS19_A_1_1", "Site1/031768/t01/031768"
BRATS_2019 = [f"{BRATS}_t1.nii.gz", f"{BRATS}_seg.nii.gz"]
ATLAS_1 = [f"{ATLAS}_t1w_deface_stx.nii.gz", f"{ATLAS}_LesionSmooth_stx.nii.gz"]
BIDS = "sub-01/anat/sub-01_T1w.nii.gz"
NEARLY = "is not named like a "
NAMES = {
    "D4 ixi in small letters": ("ixi", [IXI, "ixi003-HH-1-T1.nii.gz"], NEARLY),
    "D4 a copy of a browser": ("ixi", [IXI, "IXI005-HH-1-T1 (1).nii.gz"], NEARLY),
    "D4 a short copy of a browser": ("ixi", [IXI, "IXI005 (1).nii.gz"], NEARLY),
    "D4 a number behind": ("ixi", [IXI, "IXI005-HH-1-T1_1.nii.gz"], NEARLY),
    "D4 a name that is not UTF-8": ("ixi", [IXI, "IXI002-HH-1211-T1\udcff.nii.gz"], NEARLY),
    "D4 a folder that is not UTF-8": ("ixi", [IXI, "\udcff/IXI002-HH-1211-T1.nii"], "is not UTF-8"),
    "D4 another sequence is no near miss": ("ixi", [IXI, "IXI001-HH-1211-T2.nii.gz"], None),
    "D4 what a program made is no near miss": ("ixi", [IXI, "IXI001-HH-1211-T1_brain.nii.gz"], None),
    "D4 BraTS with a line feed": ("brats", [*BRATS_2019, "BraTS19_A\n_2_1/BraTS19_A\n_2_1_t1.nii"], NEARLY),
    "D4 BraTS copied": ("brats", [*BRATS_2019, f"{BRATS}_t1 (1).nii.gz"], NEARLY),
    "D4 BraTS of two years": ("brats", [*BRATS_2019, "BraTS-GLI-00000-000-t1.nii.gz"], NEARLY),
    "D4 BraTS in T2": ("brats", [*BRATS_2019, f"{BRATS}_t2.nii.gz", f"{BRATS}_flair.nii.gz"], None),
    "D4 BraTS stripped again": ("brats", [*BRATS_2019, f"{BRATS}_t1_brain.nii.gz"], None),
    "D4 ATLAS copied": ("atlas", [*ATLAS_1, f"{ATLAS}_t1w_deface_stx (1).nii.gz"], NEARLY),
    "D4 ATLAS with a digit less": ("atlas", [*ATLAS_1, "Site1/31768/31768_t1w_deface_stx.nii.gz"], NEARLY),
    "D4 ATLAS stripped again": ("atlas", [*ATLAS_1, f"{ATLAS}_t1w_brain.nii.gz"], None),
    "D3 BIDS of another subject": ("bids", [BIDS, "sub-01/anat/sub-02_T1w.nii.gz"], "its name says sub-02"),
    "D3 BIDS of another session": (
        "bids",
        ["sub-01/ses-1/anat/sub-01_ses-1_T1w.nii", "sub-01/ses-1/anat/sub-01_ses-2_T1w.nii"],
        "lies in the folder of ses-1, but its name says ses-2",
    ),
    "D4 BIDS copied": ("bids", [BIDS, "sub-01/anat/sub-01_T1w (1).nii.gz"], NEARLY),
    "D4 BIDS with a hyphen": ("bids", [BIDS, "sub-01/anat/sub-01-T1w.nii.gz"], NEARLY),
    "D4 BIDS without w": ("bids", [BIDS, "sub-01/anat/sub-01_T1.nii.gz"], NEARLY),
    "D4 BIDS with a large letter": (
        "bids",
        [BIDS, "Sub-02/anat/Sub-02_T1w.nii.gz"],
        "is not named like the fold",
    ),
    "D4 BIDS with other images": (
        "bids",
        [BIDS, "sub-01/anat/sub-01_UNIT1.nii.gz", "sub-01/anat/x.nii"],
        None,
    ),
    **{
        f"T5 BIDS mask {name}": ("bids", [BIDS, f"sub-01/anat/sub-01_{name}.nii"], NEARLY)
        for name in (
            *("label-tumour_probseg", "lesion-mask", "desc-lesion", "label-lesion_mask (1)"),
            *("label-lesion_mask_v2", "label-tumor_mask", "desc-tumour_mask", "label-stroke_roi"),
        )
    },
    "T5 BIDS mask too deep": (
        "bids",
        [BIDS, "derivatives/a/b/sub-01/anat/sub-01_label-lesion_mask.nii"],
        "lies deeper than derivatives/*/",
    ),
    "A3 BIDS phase": ("bids", [BIDS, "sub-01/anat/sub-01_part-phase_T1w.nii.gz"], NEARLY),
    "A3 BIDS real part": ("bids", [BIDS, "sub-01/anat/sub-01_part-real_T1w.nii.gz"], NEARLY),
    "D4 BIDS stripped again": ("bids", [BIDS, "sub-01/anat/sub-01_T1w_brain.nii.gz"], None),
}


@pytest.mark.parametrize("case", NAMES)
def test_every_scan_is_found_or_skipped_with_the_reason(tmp_path, case):
    reader, names, expected = NAMES[case]
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        save(tmp_path / name, VALUES + number)
    rows = list_scans(reader, tmp_path, sequences=["t1"], skull_strip="none", cohort="healthy")
    assert [row["path"] for row in rows if row["status"] == "found"] == [str(tmp_path / names[0])]
    write_rows(tmp_path / "listed.csv", rows, columns=COLUMNS)
    skipped = [row["reason"] for row in read_rows(tmp_path / "listed.csv") if row["status"] == "skipped"]
    if expected is None:
        assert not skipped
    else:
        assert len(skipped) == 1 and skipped[0].startswith("file name: ") and expected in skipped[0]
        assert "Expected a name " in skipped[0] and "Rename it" in skipped[0] and "\n" not in skipped[0]


def test_another_subjects_scan_is_not_taken_for_the_missing_one(tmp_path):
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    save(tmp_path / "sub-01/anat/sub-02_T1w.nii.gz")
    rows = list_scans("bids", tmp_path, sequences=["t1"], skull_strip="none", cohort="healthy")
    assert sorted(row["reason"].partition(":")[0] for row in rows) == ["file name", "missing file"]
    assert all(row["subject"] == "sub-01" for row in rows)


def test_a_head_of_960_mm_is_refused_by_its_header(tmp_path):
    save(tmp_path / "a.nii.gz", np.ones((400, 20, 20), np.int16), affine=np.diag([2.4, 2.4, 2.4, 1]))
    (tmp_path / "t.csv").write_text("subject,scanner,t1\na,S,a.nii.gz\n")
    (row,) = list_scans("table", tmp_path / "t.csv", sequences=["t1"], skull_strip="none", cohort="healthy")
    assert "spans 960 x 48 x 48 mm. Expected 15 to 500 mm" in row["reason"]


SIDECARS = {
    "D2 sidecar is a dangling link": ("sub-01/anat/sub-01_T1w.json", None),
    "D2 sidecar is nested too deep": ("sub-01/anat/sub-01_T1w.json", b"[" * 200_000),
    "D2 sidecar at the top is no text": ("T1w.json", bytes(range(256))),
    "D2 participants.tsv in Latin-1": ("participants.tsv", b"participant_id\tsite\nsub-01\tZ\xfcrich\n"),
    "D2 participants.tsv with an endless cell": (
        "participants.tsv",
        b"participant_id\tsite\n" + b"x" * 200_000,
    ),
}


@pytest.mark.parametrize("case", SIDECARS)
def test_a_broken_sidecar_costs_no_scan(tmp_path, case):
    name, content = SIDECARS[case]
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    save(tmp_path / BIDS)
    if content is None:
        (tmp_path / name).symlink_to("../../.git/annex/objects/x")
    else:
        (tmp_path / name).write_bytes(content)
    (row,) = list_scans("bids", tmp_path, sequences=["t1"], skull_strip="none", cohort="healthy")
    assert (row["status"], row["scanner"]) == ("found", "unknown")


def test_one_of_two_disks_that_is_gone_costs_no_subject(tmp_path):
    lines = ["subject,scanner,t1"]
    for number in range(4):
        (tmp_path / f"d{number % 2}").mkdir(exist_ok=True)
        save(tmp_path / f"d{number % 2}/s{number}.nii", VALUES + number)
        lines.append(f"s{number},A,d{number % 2}/s{number}.nii")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    listed, source = tmp_path / "study.csv", {"reader": "table", "path": str(tmp_path / "t.csv")}
    source["sequences"] = ["t1"]

    def look():
        """List the cohort as the workflow does."""
        signature, _ = source_signature(**source, listed=listed)
        rows = list_or_keep(listed, source=source | {"skull_strip": "none"}, cohort="study", exclude={})
        listed.touch()
        listed.with_suffix(".source").write_text(signature)
        return signature, rows

    first = look()
    (tmp_path / "d1").rename(tmp_path / "unmounted")
    assert [row["status"] for row in first[1]] == ["found"] * 4
    assert look() == first and look() == first
    (tmp_path / "d0/s0.nii").unlink()  # its folder is there: it was removed
    signature, rows = look()
    assert signature != first[0]
    assert [row["status"] for row in rows] == ["skipped", "found", "found", "found"]
    save(tmp_path / "d0/s0.nii", VALUES)
    (tmp_path / "d0").rename(tmp_path / "unmounted as well")
    assert look()[1] == rows


class Listing:
    """A cohort that is listed as the workflow does it."""

    def __init__(self, reader, path, *, listed):
        self.listed, self.source = listed, {"reader": reader, "path": str(path), "sequences": ["t1"]}

    def look(self, **exclude):
        signature, _ = source_signature(**self.source, listed=self.listed)
        source = self.source | {"skull_strip": "none"}
        rows = list_or_keep(self.listed, source=source, cohort="study", exclude=exclude)
        self.listed.touch()
        self.listed.with_suffix(".source").write_text(signature)
        return signature, rows


def four_scans(folder, names):
    """Files of four subjects, two of them on another disk, which a link or a mount point leads to."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save(folder / name, VALUES + number)
    lines = ["subject,scanner,t1", *(f"s{number},A,{name}" for number, name in enumerate(names))]
    (folder / "t.csv").write_text("\n".join(lines))


BIDS_OF_FOUR = [f"sub-0{number}/anat/sub-0{number}_T1w.nii" for number in range(4)]
FOLDERS = {
    "brats": [f"BraTS19_A_{n}_1/BraTS19_A_{n}_1_{kind}.nii" for n in range(4) for kind in ("t1", "seg")],
    "ixi": [f"d{number}/IXI00{number}-HH-1-T1.nii" for number in range(4)],
    "bids": [
        *BIDS_OF_FOUR,
        "derivatives/x/sub-03/anat/sub-03_label-lesion_mask.nii",
    ],
}


@pytest.mark.parametrize("link", ["of a subject", "of masks"])
@pytest.mark.parametrize("reader", FOLDERS)
def test_a_link_to_a_disk_that_is_gone_costs_no_subject_and_no_lesion(tmp_path, reader, link):
    names = FOLDERS[reader]
    for number, name in enumerate(names):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        mask = np.zeros(VALUES.shape, np.uint8)
        mask.flat[number] = 1
        save(tmp_path / "data" / name, mask if "seg" in name or "lesion" in name else VALUES + number)
    place = tmp_path / "data" / names[-1].split("/")[0]
    if link == "of a subject" and reader == "bids":
        place = tmp_path / "data/sub-02"
    place.rename(tmp_path / "disk")
    place.symlink_to(tmp_path / "disk")
    listing = Listing(reader, tmp_path / "data", listed=tmp_path / "study.csv")
    first = listing.look()
    assert [row["status"] for row in first[1]] == ["found"] * 4
    (tmp_path / "disk").rename(tmp_path / "away")
    assert listing.look() == first and listing.look() == first
    (tmp_path / "away").rename(tmp_path / "disk")
    assert listing.look() == first
    shutil.rmtree(tmp_path / "disk")
    place.unlink()  # its user has removed it
    assert listing.look() != first


@pytest.mark.parametrize("mount", ["is empty", "is gone", "is a link that leads nowhere"])
def test_a_mount_point_that_holds_scans_costs_no_subject(tmp_path, mount):
    four_scans(tmp_path, ["d0/a.nii", "d0/b.nii", "d1/a.nii", "d1/b.nii"])
    listing = Listing("table", tmp_path / "t.csv", listed=tmp_path / "study.csv")
    first = listing.look()
    (tmp_path / "d1").rename(tmp_path / "away")
    if mount == "is empty":
        (tmp_path / "d1").mkdir()
    elif mount != "is gone":
        (tmp_path / "d1").symlink_to("nowhere")
    assert listing.look() == first and listing.look() == first
    (tmp_path / "d0/a.nii").unlink()  # its folder holds another
    assert [row["status"] for row in listing.look()[1]] == ["skipped", "found", "found", "found"]


@pytest.mark.parametrize("gone", ["one disk", "all"])
def test_who_is_left_out_while_a_disk_is_away_can_come_back(tmp_path, gone):
    four_scans(tmp_path, ["d0/a.nii", "d0/b.nii", "d1/a.nii", "d1/b.nii"])
    listing = Listing("table", tmp_path / "t.csv", listed=tmp_path / "study.csv")
    first = listing.look()
    (tmp_path / "d1").rename(tmp_path / "away")
    if gone == "all":
        (tmp_path / "d0").rename(tmp_path / "away as well")
    for _ in range(2):
        rows = listing.look(s2="blurred", s0="moved")[1]
        assert [row["status"] for row in rows] == ["skipped", "found", "skipped", "found"]
    assert listing.look() == first


def test_a_scan_beside_sessions_is_listed(tmp_path):
    names = ["sub-01/anat/sub-01_T1w.nii", "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii"]
    names += ["sub-02/anat/sub-02_T1w.nii", "sub-02/ses-1/anat/sub-02_ses-1_T2w.nii"]
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        save(tmp_path / name, VALUES + number)
    rows = list_scans("bids", tmp_path, sequences=["t1"], skull_strip="none", cohort="ms")
    found = [row["path"] for row in rows if row["status"] == "found"]
    assert found == [f"{tmp_path}/{names[1]}", f"{tmp_path}/{names[2]}"]
    (other,) = (row for row in rows if row["status"] == "skipped")
    assert other["path"] == f"{tmp_path}/{names[0]}" and other["reason"].startswith("other session: ")


RECORDS_OF_LISTS = ["", "[]", "null", "1", "\0\0", '{"rows": null}', '{"rows": [], "sizes": []}']


@pytest.mark.parametrize("content", RECORDS_OF_LISTS)
def test_a_damaged_record_of_a_list_is_none(tmp_path, content):
    four_scans(tmp_path, ["a.nii", "b.nii", "c.nii", "d.nii"])
    listing = Listing("table", tmp_path / "t.csv", listed=tmp_path / "study.csv")
    first = listing.look()
    (tmp_path / ".kept/study.json").write_text(content)
    assert listing.look() == first
    (tmp_path / "study.source").write_bytes(b"\xff\xfe")
    assert listing.look() == first


LESIONS = {
    "T3 one file": (["l.nii", "l.nii"], 1, "skipped"),
    "T3 the same bytes": (["l.nii", "copy.nii"], 1, "skipped"),
    "T3 an empty mask": (["l.nii", "copy.nii"], 0, "found"),
    "T3 masks of their own": (["l.nii", "own.nii"], 1, "found"),
}


@pytest.mark.parametrize("case", LESIONS)
def test_two_subjects_do_not_share_a_lesion(tmp_path, case):
    names, marked, expected = LESIONS[case]
    for name, number in {"l.nii": 0, "copy.nii": 0, "own.nii": 1}.items():
        mask = np.zeros(VALUES.shape, np.uint8)
        mask[number] = marked
        save(tmp_path / name, mask)
    lines = ["subject,scanner,t1,lesion"]
    for number, name in enumerate(names):
        save(tmp_path / f"s{number}.nii", VALUES + number)
        lines.append(f"s{number},A,s{number}.nii,{name}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    rows = list_scans("table", tmp_path / "t.csv", sequences=["t1"], skull_strip="none", cohort="ms")
    assert [row["status"] for row in rows] == [expected] * 2
    if expected == "skipped":
        assert "lesion mask of s1 too" in rows[0]["reason"] and "of s0 too" in rows[1]["reason"]


@pytest.mark.parametrize("has_scan", [True, False])
def test_a_lesion_of_another_session_does_not_pass_for_none(tmp_path, has_scan):
    names = ["ses-1/anat/sub-01_ses-1_T1w.nii", "ses-2/anat/sub-01_ses-2_label-lesion_mask.nii"]
    names += ["ses-2/anat/sub-01_ses-2_T1w.nii"] * has_scan
    for number, name in enumerate(names):
        (tmp_path / "sub-01" / name).parent.mkdir(parents=True, exist_ok=True)
        save(tmp_path / "sub-01" / name, VALUES + number)
    rows = list_scans("bids", tmp_path, sequences=["t1"], skull_strip="none", cohort="ms")
    assert [row["path"][-9:] for row in rows if row["status"] == "found"] == ["2_T1w.nii"] * has_scan
    assert rows[0]["reason"].startswith("lesion on another grid: ")


def test_a_cell_may_be_long_and_a_line_may_not_be_short(tmp_path):
    write_rows(tmp_path / "long.csv", [{"lesion": "x" * 200_000}], columns=["lesion"])
    assert len(read_rows(tmp_path / "long.csv")[0]["lesion"]) == 200_000
    save(tmp_path / "a.nii")
    (tmp_path / "t.csv").write_text("subject,scanner,t1,lesion\na,S,a.nii\n")
    (row,) = list_scans("table", tmp_path / "t.csv", sequences=["t1"], skull_strip="none", cohort="ms")
    assert row["status"] == "skipped" and "t.csv line 2 has 3 cells for 4 columns" in row["reason"]


TRACINGS = {
    "T6 a second lesion as Raw": ["LesionSmooth_stx", "LesionRaw_1_stx"],
    "T6 a second lesion in lower case": ["LesionSmooth_stx", "lesionsmooth_1_stx"],
}


@pytest.mark.parametrize("case", TRACINGS)
def test_each_lesion_of_atlas_counts(tmp_path, case):
    names = [ATLAS_1[0], *(f"{ATLAS}_{name}.nii.gz" for name in [*TRACINGS[case], "LesionRaw_stx"])]
    (tmp_path / ATLAS).parent.mkdir(parents=True)
    for number, name in enumerate(names):
        save(tmp_path / name, VALUES + number)
    (row,) = list_scans("atlas", tmp_path, sequences=["t1"], skull_strip="none", cohort="stroke")
    assert all(name in row["lesion"] for name in names[1:3]) and names[3] not in row["lesion"]


def test_a_second_segmentation_of_brats_is_listed(tmp_path):
    (tmp_path / BRATS).parent.mkdir()
    for number, name in enumerate([*BRATS_2019, f"{BRATS}_seg.nii"]):
        save(tmp_path / name, VALUES + number)
    rows = list_scans("brats", tmp_path, sequences=["t1"], skull_strip="none", cohort="tumour")
    assert sorted(row["status"] for row in rows) == ["found", "skipped"]
    assert any(row["reason"].startswith("repeated: ") and "segmentation" in row["reason"] for row in rows)
