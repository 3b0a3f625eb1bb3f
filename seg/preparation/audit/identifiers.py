"""File and folder names that may identify a patient: dates, record numbers, names of people.

A hint, never an error. False alarms cost trust, so study numbers (`patient_012`), padded counters
(`ISIC_0024306`) and words of imaging (`Left_Kidney`) give none.
"""

import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

EXAMPLES = 3
DATE, NUMBER, WORD, PERSON, MAIL, SOCIAL = (
    "dates",
    "long numbers",
    "words such as patient or name, with what follows",
    "names of people",
    "e-mail addresses",
    "social security numbers",
)

_START, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_YEAR_FIRST = re.compile(rf"{_START}({_YEAR})([-._ ]?)({_MONTH})\2({_DAY}){_END}")
_YEAR_LAST = re.compile(rf"{_START}(\d\d?)([-.])(\d\d?)\2({_YEAR}){_END}")
_NUMBER = re.compile(rf"{_START}(?!00)\d{{7,}}{_END}")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*[A-Za-z]")
_SOCIAL = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])")
_RECORD = re.compile(
    rf"{_START}(?<!file[-_ ])(?:name|surname|lastname|firstname|mrn|dob|ssn|birthdate|birthday)"
    rf"[-_ =:.]+(?=[A-Za-z0-9])|{_START}(?:mrn|dob|ssn)\d",
    re.IGNORECASE,
)
_PATIENT = re.compile(
    rf"{_START}(?:patient|pat)[-_ =:]*(?:id|name|no|nr)?[-_ =:]+([A-Za-z]{{3,}}|\d{{5,}})"
    rf"|{_START}patient(\d{{5,}})",
    re.IGNORECASE,
)
_PERSON = re.compile(r"(?<![A-Za-z0-9])([A-Z][a-z]{2,})(?:_|-|, ?|\^| )([A-Z][a-z]{2,})(?![a-z])")
_IMAGING = """
image images img mask masks label labels annotation annotations segmentation seg ground truth
overlay contour manual expert observer reader grader rater original raw crop cropped patch tile
slice slices frame frames video series study scan view plane volume stack channel layer level
left right upper lower anterior posterior lateral medial superior inferior axial sagittal
coronal proximal distal central peripheral top bottom front back side inner outer
train training test testing val valid validation fold split set data dataset sample samples
case cases patient subject healthy normal abnormal control disease diseased benign malignant
positive negative pos neg tumor tumour cancer lesion polyp nodule mass cyst edema oedema
glioma meningioma pituitary melanoma nevus nevi carcinoma adenoma metastasis infection
covid pneumonia viral bacterial lung opacity effusion tuberculosis glaucoma diabetic
retinopathy drusen macula optic disc cup fovea vessel vessels artery vein retina retinal fundus
eye cornea iris heart cardiac ventricle atrium aorta myocardium brain cerebral skull spine
vertebra bone femur tibia hip knee shoulder elbow wrist hand foot ankle finger tooth teeth
dental jaw liver kidney renal spleen pancreas stomach gastric colon rectum bowel bladder
prostate uterus ovary cervix fetal head neck thyroid breast chest thorax abdomen pelvis skin
hair nail muscle nerve tissue tissues blood white red cell cells nucleus nuclei cytoplasm gland
glands epithelium stroma lymph node necrosis mitosis
ultrasound echo doppler mri flair dwi adc cta pet spect xray ray radiograph mammogram
endoscopy endoscopic colonoscopy capsule microscopy fluorescence confocal histology
pathology dermoscopy angiography tomography scanner siemens philips toshiba canon olympus zeiss
topcon nikon leica camera phone screenshot shot photo picture pic snapshot
untitled copy new old final version part group class category type stage grade score image
pre post before after day week month year visit session time point baseline follow followup
low high medium small large big dark bright blue green yellow black gray grey color colour
contrast enhanced filtered noise noisy clean result results output input prediction pred
blur sharp resized augmented flipped rotated synthetic phantom simulated real
hospital clinic center centre site unit department institute university lab machine
january february march april may june july august september october november december
kaggle kvasir drive chase stare monuseg isic brats medical the and with without from
"""
_COMMON = frozenset(_IMAGING.split())
# A pair of words in nearly all of many names belongs to the data set, not to a person.
_SHARED_NAMES, _SHARED_SHARE = 10, 0.9


def find(names: Iterable[str]) -> dict[str, list[str]]:
    """Kind of identifier -> the names (paths with forward slashes) that seem to contain one."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    people: list[tuple[str, str]] = []  # (name, the two words)
    total = 0
    for name in dict.fromkeys(names):
        total += 1
        for kind in dict.fromkeys(kind for part in _parts(name) for kind in _kinds(part)):
            by_kind[kind].append(name)
        words = next((w for part in _parts(name) if (w := _two_words(part))), None)
        if words:
            people.append((name, words))
    shared = {
        words
        for words, count in Counter(words for _, words in people).items()
        if total >= _SHARED_NAMES and count >= _SHARED_SHARE * total
    }
    if persons := [name for name, words in people if words not in shared]:
        by_kind[PERSON] = persons
    return dict(by_kind)


def sentence(by_kind: dict[str, list[str]]) -> str:
    """One line on the result of `find`: how many names, and up to three examples of each kind."""
    count = len({name for names in by_kind.values() for name in names})
    kinds = []
    for kind, names in by_kind.items():
        parts = dict.fromkeys(_part_with(name, kind) for name in names)
        more = ", ..." if len(parts) > EXAMPLES else ""
        kinds.append(f"{kind} ({', '.join(list(parts)[:EXAMPLES])}{more})")
    them = "1 name looks" if count == 1 else f"{count} names look"
    return (
        f"{them} like telling who a patient is: {'; '.join(kinds)}; "
        "they are written into run folders: rename the files if so"
    )


def _parts(name: str) -> list[str]:
    """Folders and file name, without the file's extension (`.nii.gz` is one)."""
    *folders, file = name.split("/")
    return [*folders, re.sub(r"(\.nii)?\.[A-Za-z][A-Za-z0-9]{1,4}(#\d+)?$", "", file)]


def _kinds(part: str) -> Iterator[str]:
    if _MAIL.search(part):
        yield MAIL
    if _SOCIAL.search(part):
        yield SOCIAL
    dates = [m.group() for m in _YEAR_FIRST.finditer(part) if _is_date(m[1], m[3], m[4])]
    dates += [
        m.group()
        for m in _YEAR_LAST.finditer(part)
        if _is_date(m[4], m[3], m[1]) or _is_date(m[4], m[1], m[3])
    ]
    if dates:
        yield DATE
    if any(m.group() not in dates for m in _NUMBER.finditer(part)):
        yield NUMBER
    patient = _PATIENT.search(part)
    word = patient and (patient[1] or patient[2])
    if _RECORD.search(part) or (word and word.lower() not in _COMMON):
        yield WORD


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        datetime.date(int(year), int(month), int(day))
    except ValueError:
        return False
    return int(year) < 2050


def _two_words(part: str) -> str | None:
    """`Lastname_Firstname`, unless one of the words belongs to imaging."""
    for match in _PERSON.finditer(part):
        if not {match[1].lower(), match[2].lower()} & _COMMON:
            return match.group()
    return None


def _part_with(name: str, kind: str) -> str:
    """The folder or file name in a path that contains the identifier."""
    for part in _parts(name):
        if kind in _kinds(part) or (kind == PERSON and _two_words(part)):
            return part
    return name
