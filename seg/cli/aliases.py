"""Keys as other tools call them, and what is written here instead."""

from typing import Any

from seg.cli.rules import RULES

# of seg.train; a name counts with any section before it: training.lr, data.batch_size
_TRAIN = {
    "trainer.max_epochs": "epochs max_epochs num_epochs n_epochs total_epochs",
    "optimizer.lr": "lr learning_rate lr0 base_lr init_lr",
    "optimizer.weight_decay": "weight_decay wd",
    "optimizer": "optim opt",
    "scheduler": "lr_scheduler sched lr_schedule",
    "dataset.root": "root data_dir data_root data_path dataset_path dataset_dir datadir path dir",
    "dataset.batch_size": "batch_size batch bs train_batch_size",
    "dataset.image_size": "image_size img_size imgsz imgsize size input_size resolution crop_size",
    "dataset.patch_size": "patch_size patch roi_size",
    "dataset.num_workers": "num_workers workers n_workers",
    "dataset.channels": "channels in_channels num_channels n_channels in_chans",
    "dataset.classes": "classes num_classes n_classes class_names nc",
    "dataset.group": "group patient patient_id group_by",
    "dataset.normalize": "normalize normalization norm_mode",
    "dataset.split.val": "val val_size val_split val_fraction valid validation_split",
    "dataset.split.test": "test test_size test_split test_fraction",
    "dataset.split.file": "split split_file",
    "dataset.split.fold": "fold",
    "dataset.split.folds": "folds k_folds n_folds num_folds n_splits",
    "augmentation": "aug augment augmentations transform transforms",
    "model": "net network arch architecture model_name",
    "model.encoder": "encoder backbone encoder_name",
    "model.width": "width base_channels features init_features",
    "model.depth": "depth encoder_depth",
    "loss": "criterion loss_fn loss_function loss_name",
    "trainer.devices": "devices gpus num_gpus n_gpus ngpus",
    "trainer.accelerator": "device accelerator gpu cuda",
    "trainer.precision": "precision amp fp16 half mixed_precision",
    "trainer.gradient_clip_val": "clip grad_clip clip_grad gradient_clip max_grad_norm",
    "trainer.accumulate_grad_batches": "accumulate grad_accum accumulation accumulation_steps "
    "gradient_accumulation_steps",
    "trainer.deterministic": "deterministic",
    "trainer.compile": "compile torch_compile compile_model",
    "early_stopping": "patience early_stop es_patience",
    "output_dir": "output out out_dir outdir save_dir project log_dir logdir results_dir",
    "name": "run_name exp_name experiment_name",
    "seed": "random_seed random_state manual_seed",
    "init_from": "weights pretrained ckpt checkpoint ckpt_path checkpoint_path load_from finetune",
    "resume": "resume_from resume_from_checkpoint continue",
    "ema.decay": "ema_decay",
    "checkpoints.top_k": "save_top_k top_k",
}
_DEVICE = {"trainer.accelerator": _TRAIN["trainer.accelerator"] + " devices gpus",
           "trainer.precision": _TRAIN["trainer.precision"]}  # fmt: skip
_RUN = {"run": "model weights ckpt ckpt_path checkpoint_path path runs"}
_BATCH = {"batch_size": "batch bs"}
_ROOT = {"dataset.root": _TRAIN["dataset.root"] + " data"}
_TO_FOLDER = "out output_dir out_dir outdir save_dir project"
_ALIASES: dict[str, dict[str, str]] = {
    "train": _TRAIN,
    "evaluate": _DEVICE | _RUN | _BATCH | _ROOT | {"output": _TO_FOLDER, "tolerance": "nsd_tol"},
    "predict": _DEVICE | _RUN | _BATCH | {
        "input": "source images image img data input_dir in_dir dataset.root root_dir",
        "output": _TO_FOLDER,
        "threshold": "conf thr thresh",
        "tile": "patch_size tile_size window",
        "tta": "augment",
    },
    "demo": _RUN | _BATCH | {
        "device": "accelerator trainer.accelerator gpu cuda",
        "port": "server_port",
        "host": "server_name address ip",
        "threshold": "conf thr thresh",
        "tile": "patch_size tile_size window",
        "tta": "augment",
    },
    "export": _RUN | _ROOT | {"output": _TO_FOLDER, "int8": "quantize quantise"},
    "prepare": _ROOT | {"output_dir": _TO_FOLDER.replace("output_dir", "output")},
    "compare": {"runs": "run models", "output": _TO_FOLDER, "metric": "metrics monitor"},
}  # fmt: skip
NAMES = {
    command: {name: key for key, names in table.items() for name in names.split()}
    for command, table in _ALIASES.items()
}
# keys that exist beside other choices alone
_ELSEWHERE = {
    "model.encoder": "this network has none; model=lite_unet and model=smp have",
    "model.weights": "this network has no pretrained weights; model=lite_unet and model=smp have",
    "trainer.devices": "one device is used; trainer.accelerator says of what kind",
}


def right_key(command: str, key: str) -> str | None:
    """What a command calls a key of another tool; None where nothing is known of it."""
    name = key.lstrip("-+~").replace("-", "_").lower()
    names = NAMES[command]
    return names.get(name) or names.get(name.rpartition(".")[2])


def answer(command: str, key: str, value: Any = None, text: str = "") -> str | None:
    """What to write instead of a key that is not there; None where nothing is known of it.

    Args:
        command: the command's name.
        key: as it was typed.
        value: as it was read; None for several or none.
        text: the value as it was typed.
    """
    if key in _ELSEWHERE:
        return f"{key}: {_ELSEWHERE[key]}"
    right = right_key(command, key)
    if key == "data" and command in ("train", "prepare"):
        right = "dataset.root" if "/" in text or text in (".", "..") else "dataset"
    if key == "data" and right == "dataset" and text.endswith((".yaml", ".yml")):
        text = "folder dataset.root=DIR"  # what such a file of another tool describes
    if right == "init_from" and text == "imagenet":
        right, text = "model", "lite_unet"  # which has them
    if right is None or right == key:
        return None
    rule = RULES[command].get(right)
    if not text or (rule is not None and value is not None and not rule.allows(value)):
        wanted = f" ({rule.wanted})" if rule is not None else ""
        return f"{key}: no such key; it is {right}=...{wanted}"
    return f"{key}: no such key; write {right}={text}"


def flag_problem(command: str, flag: str) -> str:
    """The problem with a flag that Hydra does not have, such as --epochs."""
    name, _, value = flag.lstrip("-").partition("=")
    right = right_key(command, name)
    if right is None:
        return f"{flag}: no such flag; keys are written as key=value, see --help"
    return f"{flag}: keys have no dashes; write {right}={value or '...'}"
