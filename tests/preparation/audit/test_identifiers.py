"""Names that may identify a patient are detected, and study names are not."""

from pathlib import Path

import pytest

from seg.preparation.audit import identifiers
from seg.preparation.audit.identifiers import (
    DATE,
    MAIL,
    NUMBER,
    PERSON,
    SOCIAL,
    WORD,
    find,
    sentence,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("images/scan_20190503.png", DATE),
        ("images/scan_2019-05-03.png", DATE),
        ("images/2019_05_03_7.png", DATE),
        ("images/03.05.2019.png", DATE),
        ("images/12-31-2019 a.png", DATE),
        ("TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif", DATE),
        ("images/4829103.png", NUMBER),
        ("images/a_102938475_2.nii.gz", NUMBER),
        ("images/patient_Miller_2.png", WORD),
        ("images/Patient-48291.png", WORD),
        ("images/mrn48291.png", WORD),
        ("images/DOB_1950.png", WORD),
        ("images/name-jd.png", WORD),
        ("images/Miller_Susan_2.png", PERSON),
        ("Smith, John/3.png", PERSON),
        ("images/s.miller@clinic.example.png", MAIL),
        ("images/123-45-6789.png", SOCIAL),
    ],
)
def test_what_may_identify_a_person_is_detected(name: str, kind: str) -> None:
    assert find([name]) == {kind: [name]}


@pytest.mark.parametrize(
    "name",
    [
        "images/cju0qkwl35piu0993l0dewei2.jpg",
        "images/001.bmp",
        "images/Image_01L.jpg",
        "images/ISIC_0024306.jpg",
        "images/patient012_frame03.png",
        "images/patient_012.png",
        "images/Patient_Left_Eye.png",
        "images/case_12_of_40.png",
        "images/20191503.5.png",  # no 15th month; the digits are a number
        "images/Left_Kidney_12.png",
        "images/Fundus_Miller.png",
        "images/filename_3.png",
        "images/file_name_3.png",
        "images/256x256_20.png",
        "images/a1b20190503c.png",
        "images/000-12-3456.png",
        "images/IM0001.dcm",
        "images/vol-12.nii.gz#40",
    ],
)
def test_study_names_are_not_detected(name: str) -> None:
    assert PERSON not in find([name])
    assert find([name]).keys() <= ({NUMBER} if "20191503" in name else set())


def test_one_pair_of_words_in_all_names_belongs_to_the_data_set() -> None:
    assert find([f"Golden_Harvest_{i}.png" for i in range(12)]) == {}
    people = ["Miller_Susan", "Smith_John", "Weber_Anna", "Rossi_Marco"] * 3
    names = [f"{person}_{i}.png" for i, person in enumerate(people)]
    assert find(names) == {PERSON: names}


def test_the_sentence_counts_names_and_gives_three_examples_of_a_kind() -> None:
    names = [f"p{i}_2019010{i}/x_{k}.png" for i in range(1, 6) for k in range(4)]
    text = sentence(find(names))
    assert text.startswith("20 names ")
    assert "dates (p1_20190101, p2_20190102, p3_20190103, ...)" in text
    assert sentence(find(["a@b.org_1.png"])).startswith("1 name ")


def test_one_of_the_real_sets_has_dates(real: Path) -> None:
    names = {
        folder: [p.relative_to(real / folder).as_posix() for p in (real / folder).rglob("*.*")]
        for folder in ("kvasir_seg_256", "kvasir_seg_native", "wbc", "chase_db1", "lgg")
    }
    assert all(len(files) > 9 for files in names.values())
    dated = find([n for n in names.pop("lgg") if n.endswith(".tif")])
    assert dated.keys() == {identifiers.DATE}
    assert {folder: find(files) for folder, files in names.items()} == dict.fromkeys(names, {})
