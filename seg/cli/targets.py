"""Whether all that a configuration builds takes the keys that it is given."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from seg.cli import loss_rules, signatures
from seg.cli.make import MODEL, OPTIMIZER, TRAINER
from seg.cli.signatures import is_target, walk

# Keys of `dataset` that are not its source's: of the data module, and of the download.
LOADING = {
    "name", "image_size", "channels", "window", "mask_threshold", "overlap", "batch_size",
    "num_workers", "split", "normalize", "cache_dir",
    "patch_size", "patch_foreground", "patches_per_image", "sampling", "sampling_foreground",
}  # fmt: skip
DOWNLOAD = {"url", "sha256", "mirrors", "kaggle", "by_hand"}
# keys beside those of the class that a node names
BESIDE = {"dataset": LOADING | DOWNLOAD, "model": MODEL, "optimizer": OPTIMIZER, "trainer": TRAINER}


def problems(
    cfg: Mapping[str, Any], *, ruled: Collection[str], keys: Collection[str] | None = None
) -> Iterator[str]:
    """What does not fit, a line each.

    Args:
        cfg: plain containers.
        ruled: paths whose values have a rule.
        keys: look only at what these are for, in its source where that tells enough; None: at all.
    """
    for path, node in walk(cfg):
        if is_target(node) and (keys is None or any(_are_related(path, key) for key in keys)):
            extra = BESIDE.get(path.rpartition(".")[2] if path.startswith("stages.") else path, ())
            extra = {"scale"} if loss_rules.is_term(path) else extra
            extra = {"save_dir"} if path.startswith("logger.") else extra  # the run's folder
            about = {"extra": extra, "ruled": ruled, "reads": keys is not None}
            yield from signatures.problems(path, node, **about)


def _are_related(path: str, key: str) -> bool:
    """Whether one is the other, or lies in it."""
    return f"{key}.".startswith(f"{path}.") or f"{path}.".startswith(f"{key}.")
