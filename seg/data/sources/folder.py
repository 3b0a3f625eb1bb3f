"""Any folder of images/ and masks/ with equal names."""

import re
from pathlib import Path

from seg.data.images import DataErrors
from seg.data.pairs import Pair, group_of, image_files, locate, pair_by_name


class Folder:
    """`root/image_dir/<name><image_suffix>.*` beside `root/mask_dir/<name><mask_suffix>.*`.

    root: the folder that holds both, or a parent of it.
    group: `file` (every image its own), `folder`, or a regular expression searched in the case's
        path whose first group is the patient.
    classes: name -> mask value, list of values or colour; None for one class, foreground, 1 or 255.
    ignore_value: mask value of void pixels (no loss, no metric), or None.
    """

    def __init__(
        self,
        *,
        root: str,
        image_dir: str = "images",
        mask_dir: str = "masks",
        image_suffix: str = "",
        mask_suffix: str = "",
        group: str = "file",
        classes: dict[str, int | str | list[int] | list[list[int]]] | None = None,
        ignore_value: int | None = None,
    ) -> None:
        if group not in ("file", "folder"):
            try:
                groups = re.compile(group).groups
            except re.error as error:
                raise ValueError(
                    f"dataset.group={group!r} is no regular expression: {error}"
                ) from error
            if groups < 1:
                raise ValueError(
                    f"dataset.group={group!r} needs a group in parentheses around the patient"
                )
        self.root = Path(root).expanduser()
        self.image_dir = image_dir
        self.mask_dir = mask_dir
        self.image_suffix = image_suffix
        self.mask_suffix = mask_suffix
        self.group = group
        self.classes = classes
        self.ignore_value = ignore_value

    def pairs(self) -> list[Pair]:
        """Every case, in natural order. Raises FileNotFoundError or DataErrors (all problems)."""
        root = locate(
            self.root,
            holds=lambda p: (p / self.image_dir).is_dir() and (p / self.mask_dir).is_dir(),
            layout=f"{self.image_dir}/ beside {self.mask_dir}/",
        )
        images = image_files(root / self.image_dir)
        if not images:
            raise FileNotFoundError(f"{root / self.image_dir}: no images in it")
        matched = pair_by_name(
            images,
            image_files(root / self.mask_dir),
            image_suffix=self.image_suffix,
            mask_suffix=self.mask_suffix,
        )
        if not matched:
            raise FileNotFoundError(
                f"{root / self.image_dir}: no image name ends in "
                f"dataset.image_suffix={self.image_suffix!r}"
            )
        problems: list[str] = []
        pairs: list[Pair] = []
        for image, mask in matched:
            case = image.relative_to(root).as_posix()
            try:
                pairs.append(Pair(case, image, mask, group_of(case, self.group)))
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise DataErrors(problems)
        return pairs
