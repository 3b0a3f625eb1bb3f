"""A folder for each case, with a mask file for each object in it: DSB 2018's nuclei.

Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7; `stage1_train/<case>/{images,masks}/*.png`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seg.data.exclusion import Exclusion
from seg.data.pairs import (
    MaskFile,
    Pair,
    check_group_rule,
    group_of,
    image_files,
    locate,
    natural_key,
    settled,
)


@dataclass(kw_only=True)
class Instances:
    """`root/<case>/image_dir/<one image>` and `root/<case>/mask_dir/<any masks>`, united.

    Args:
        root: the folder of the cases' folders, or a parent of it.
        image_dir: the folder of the image within each case's.
        mask_dir: the folder of its masks.
        exclude: globs relative to root of files that are left out.
        missing_masks: a case without masks is an `error`, or its mask is `empty`.
        group: `file` (every case is its own group), or a regular expression, searched in the case,
            whose first group is the patient.
        classes: name -> mask value or list of values; None is one class of value 1 or 255.
        ignore_value: mask value of ignored pixels, or None.
    """

    root: str | Path
    image_dir: str = "images"
    mask_dir: str = "masks"
    exclude: str | list[str] | None = None
    missing_masks: Literal["error", "empty"] = "error"
    group: str = "file"
    classes: dict[str, int | str | list[int] | list[list[int]]] | None = None
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        check_group_rule(self.group)
        self.root = Path(self.root).expanduser()

    def has_layout(self, folder: Path) -> bool:
        """Whether there are folders of cases in a folder."""
        return any(
            (case / self.image_dir).is_dir() and (case / self.mask_dir).is_dir()
            for case in folder.iterdir()
        )

    def pairs(self) -> list[Pair]:
        """Every case, in natural order. Raises FileNotFoundError or PairingErrors."""
        layout = f"a folder for each case with {self.image_dir}/ and {self.mask_dir}/ in it"
        root = locate(
            self.root,
            has_layout=self.has_layout,
            layout=layout,
            keys="dataset.image_dir and dataset.mask_dir",
        )
        exclusion = Exclusion(self.exclude, root=root)
        pairs: list[Pair] = []
        problems: list[str] = []
        for folder in sorted(root.iterdir(), key=lambda p: natural_key(p.name)):
            if folder.name.startswith(".") or not (folder / self.image_dir).is_dir():
                continue
            images = exclusion.kept(image_files(folder / self.image_dir))
            masks = folder / self.mask_dir
            masks = exclusion.kept(image_files(masks)) if masks.is_dir() else []
            if len(images) != 1:
                where, count = folder / self.image_dir, len(images) or "no"
                problems.append(f"{where}: {count} images in it; a case's folder holds one image")
                continue
            if not masks and self.missing_masks == "error":
                problems.append(
                    f"{images[0]}: no masks in {folder / self.mask_dir}; add them, remove the "
                    "case, or dataset.missing_masks=empty"
                )
                continue
            case = images[0].relative_to(root).as_posix()
            try:
                group = group_of(case, self.group)
            except ValueError as error:
                problems.append(str(error))
                continue
            pairs.append(Pair(case, (images[0],), tuple(map(MaskFile, masks)), group))
        exclusion.report()
        return settled(pairs, problems, root=root)
