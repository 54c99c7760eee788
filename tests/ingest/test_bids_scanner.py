import json
import logging
import os

import pytest

from spatial_erasing.ingest.bids_scanner import read_participants, scanner_of
from spatial_erasing.ingest.records import Scan


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def scanner(root, subject="sub-01"):
    scan = Scan(subject, "t1", root / subject / "anat" / f"{subject}_T1w.nii.gz")
    return scanner_of(scan, root, read_participants(root))


def test_participants_column_comes_before_the_sidecar(tmp_path):
    write(
        tmp_path / "participants.tsv",
        "\ufeffparticipant_id\tage\tSite\nsub-01\t30\tOslo\n02\t31\tBergen\nsub-03\t3\tn/a\n",
    )
    write(tmp_path / "T1w.json", {"ManufacturersModelName": "Prisma"})
    assert [scanner(tmp_path, subject) for subject in ("sub-01", "sub-02", "sub-03", "sub-04")] == [
        "Oslo",
        "Bergen",
        "Prisma",
        "Prisma",
    ]


def test_the_scanner_column_is_preferred_over_the_site(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id\tsite\tscanner\nsub-01\tOslo\tSkyra\n")
    assert scanner(tmp_path) == "Skyra"


def test_sidecar_tells_model_field_and_serial_number(tmp_path):
    said = {"ManufacturersModelName": "Prisma", "MagneticFieldStrength": 3, "DeviceSerialNumber": "166007"}
    write(tmp_path / "sub-01/anat/sub-01_T1w.json", said)
    assert scanner(tmp_path) == "Prisma 3T 166007"


def test_a_nearer_sidecar_overrides_and_a_foreign_one_is_ignored(tmp_path):
    write(tmp_path / "T1w.json", {"ManufacturersModelName": "Avanto", "MagneticFieldStrength": 1.5})
    write(tmp_path / "sub-01/sub-01_T1w.json", {"ManufacturersModelName": "Aera"})
    write(tmp_path / "sub-01/anat/sub-01_run-2_T1w.json", {"ManufacturersModelName": "Skyra"})
    assert scanner(tmp_path) == "Aera 1.5T"


def as_folder(path):
    path.mkdir(parents=True)


def as_dangling_link(path):
    path.symlink_to("../.git/annex/objects/x")


def as_pipe(path):
    os.mkfifo(path)


BROKEN = {
    "no JSON": lambda path: path.write_text("not json"),
    "a list": lambda path: path.write_text("[]"),
    "a number for a name": lambda path: path.write_text("3"),
    "nested too deep": lambda path: path.write_text("[" * 200_000),
    "Latin-1": lambda path: path.write_bytes('{"ManufacturersModelName": "Zürich"}'.encode("latin-1")),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "empty": lambda path: path.write_bytes(b""),
    "a folder": as_folder,
    "a dangling link": as_dangling_link,
    "a pipe": as_pipe,
}


@pytest.mark.parametrize("name", ["sub-01/anat/sub-01_T1w.json", "T1w.json", "participants.tsv"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_sidecar_or_table_costs_the_name_of_the_scanner_alone(tmp_path, kind, name):
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    BROKEN[kind](tmp_path / name)
    assert scanner(tmp_path) == "unknown"


def test_a_sidecar_or_table_that_may_not_be_read_costs_the_name_of_the_scanner_alone(open_folder, as_nobody):
    for name in ("participants.tsv", "sub-01/anat/sub-01_T1w.json"):
        write(open_folder / name, "{}")
        (open_folder / name).chmod(0)
    assert as_nobody(lambda: scanner(open_folder)) == "unknown"


def test_what_is_broken_is_in_the_log_with_what_to_do(tmp_path, caplog):
    (tmp_path / "participants.tsv").write_bytes("participant_id\tsite\nsub-01\tZürich\n".encode("latin-1"))
    write(tmp_path / "T1w.json", {"ManufacturersModelName": "Prisma"})
    with caplog.at_level(logging.WARNING):
        assert scanner(tmp_path) == "Prisma"
    assert "participants.tsv cannot be read (UnicodeDecodeError" in caplog.text
    assert "--forcerun list_scans" in caplog.text
