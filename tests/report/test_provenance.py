from pathlib import Path, PureWindowsPath

import pytest

from pullback.report.provenance import file_name, provenance_rows, without_folders


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/data/Miller Anna/ed.nii.gz", "ed.nii.gz"),
        (
            "the header of '/data/Miller Anna/ed.nii.gz' contradicts itself",
            "the header of 'ed.nii.gz' contradicts itself",
        ),
        ("/a/b.nii and /c/d e/f.nii, see", "b.nii and f.nii, see"),
        (r"C:\scans\Anna M\es.mha is bad", "es.mha is bad"),
        (r"\\server\Anna\z.nii", "z.nii"),
        ("~/Anna/y.nii", "y.nii"),
        ("Anna/y.nii is odd", "y.nii is odd"),
        ("sform (/Anna/x.nii.gz): bad; /q/r", "sform (x.nii.gz): bad; r"),
        ("2 mm/s and/or 3 / 4 of it", "2 mm/s and/or 3 / 4 of it"),
        ("Linux x86_64", "Linux x86_64"),
    ],
)
def test_texts_lose_their_folders_and_nothing_else(text, told):
    assert without_folders(text) == told


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (Path("/data/ed.nii.gz"), "ed.nii.gz"),
        (PureWindowsPath(r"D:\x\ed.mha"), "ed.mha"),
        ("series/", "series"),
        ("file.npz:C0", "file.npz:C0"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_file_is_named_without_its_folder(path, name):
    assert file_name(path) == name


PROVENANCE = {
    "fixed": "/data/Miller_Anna/ed.nii.gz",
    "moving": None,
    "dicom": {
        "PatientName": "Miller^Anna",
        "PatientBirthDate": "19610203",
        "StudyInstanceUID": "1.2.3",
        "Modality": "MR",
    },
    "host": "ward7-scanner",
    "user": "anna",
    "name": "Anna",
    "machine": "Linux x86_64",
    "inputs": ["/data/Miller_Anna/a.nii", "/data/Miller_Anna/b.nii"],
    "warnings": ["told as a remark"],
    "seed": 0,
}


def test_who_the_patient_is_stays_untold():
    assert dict(provenance_rows(PROVENANCE)) == {
        "fixed": "ed.nii.gz",
        "dicom Modality": "MR",
        "machine": "Linux x86_64",
        "inputs": "a.nii, b.nii",
        "random seed": "0",
    }


def test_everything_is_told_to_who_asks_for_it():
    rows = dict(provenance_rows(PROVENANCE, show_folders=True))
    assert rows["fixed"] == "/data/Miller_Anna/ed.nii.gz"
    assert rows["dicom PatientName"] == "Miller^Anna"
    assert rows["host"] == "ward7-scanner"
    assert "warnings" not in rows
