"""LGG-MRI: 110 patients, each a folder of slices with their masks beside them.

Buda et al. 2019, doi:10.1016/j.compbiomed.2019.05.002;
`kaggle_3m/TCGA_*/TCGA_*_<slice>[_mask].tif`.
"""

from dataclasses import dataclass
from pathlib import Path

from seg.data.matching import Matching
from seg.data.pairs import Pair, image_files, locate, settled

MASK_SUFFIX = "_mask"


@dataclass(kw_only=True)
class LGG:
    """The patients' folders are the groups.

    Args:
        root: `kaggle_3m` or a parent of it.
        classes: name -> mask value.
        ignore_value: mask value of ignored pixels, or None.
    """

    root: str | Path
    classes: dict[str, int | list[int]]
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        self.root = Path(self.root).expanduser()

    def has_layout(self, folder: Path) -> bool:
        """Whether a folder contains patients' folders."""
        return any(child.is_dir() for child in folder.glob("TCGA_*"))

    def pairs(self) -> list[Pair]:
        """Every slice of every patient. Raises FileNotFoundError or PairingErrors."""
        layout = "kaggle_3m/ with its TCGA_* folders"
        root = locate(self.root, has_layout=self.has_layout, layout=layout)
        pairs: list[Pair] = []
        matching = Matching(mask_suffix=MASK_SUFFIX)
        for patient in sorted(p for p in root.glob("TCGA_*") if p.is_dir()):
            files = image_files(patient)
            masks = {None: [f for f in files if matching.is_mask(f)]}
            pairs += [
                Pair(f"{patient.name}/{images[0].name}", images, of_case, patient.name)
                for images, of_case in matching.match(
                    (f for f in files if not matching.is_mask(f)), masks
                )
            ]
        matching.report()
        pairs = settled(pairs, matching.problems, root=root)
        if not pairs:
            raise FileNotFoundError(f"{root}: no images in its TCGA_* folders")
        return pairs
