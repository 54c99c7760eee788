import json

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


@pytest.mark.parametrize("content", ["not json", "[]"])
def test_without_a_usable_source_the_scanner_is_unknown(tmp_path, content):
    write(tmp_path / "sub-01/anat/sub-01_T1w.json", content)
    assert scanner(tmp_path) == "unknown"


def test_participants_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "participants.tsv").write_bytes("participant_id\tsite\nsub-01\tZürich\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"participants\.tsv cannot be read.*UTF-8"):
        read_participants(tmp_path)
