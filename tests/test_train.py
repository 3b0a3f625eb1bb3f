"""seg.train from end to end: what lies in the run folder, and that its figures can be trusted."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seg.cli.check import check
from seg.cli.compose import compose
from seg.data.errors import DataErrors
from seg.models.normalize import Normalize
from seg.models.unet import UNet
from seg.train import train
from tests.commands import forked
from tests.pictures import no_pictures

RUN_FILES = [
    "config.yaml", "run.json", "split.csv", "metrics.csv", "test.json", "test_cases.csv",
    "checkpoints/best.ckpt", "checkpoints/last.ckpt", "model.pth", "curves.png",
    "test_panels/worst.png", "test_panels/median.png", "test_panels/best.png",
]  # fmt: skip


LEARNS = [
    "dataset.patients=10",
    "dataset.frames=2",
    "dataset.size=48",
    "dataset.image_size=32",
    "dataset.batch_size=2",
    "model.width=8",
    "model.depth=2",
    "optimizer.lr=5e-3",
    "trainer.max_epochs=6",
    "trainer.precision=32",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _pictures_of_the_shared_run_alone() -> Iterator[None]:
    """`finished`, which is of the module, is trained before this."""
    with no_pictures():
        yield


def run(overrides: list[str], output: Path) -> Path:
    """Train as the command does; returns the run folder."""
    cfg = compose([*overrides, f"output_dir='{output}'"])
    check(cfg)
    train(cfg)
    return max(output.glob("*-*/*/run.json"), key=lambda p: p.stat().st_mtime_ns).parent


def command(*argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    return forked("train", *argv, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small run on the embedded data set, shared by the tests that look at it."""
    output = tmp_path_factory.mktemp("out put ü")  # a path with a blank and an accent
    return run(LEARNS, output)


def test_the_run_folder_holds_everything(finished: Path) -> None:
    for name in RUN_FILES:
        assert (finished / name).stat().st_size > 0, name
    assert sorted(p.name for p in (finished / "panels").iterdir()) == [
        "epoch_005.png", "epoch_006.png",
    ]  # fmt: skip
    assert len(list(finished.glob("events.out.tfevents.*"))) == 1


def test_run_json_tells_the_truth(finished: Path) -> None:
    facts = json.loads((finished / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["seed"] == 42
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["seconds"] > 0
    rows = pd.read_csv(finished / "metrics.csv")
    assert facts["best_epoch"] == rows.loc[rows["val/dice"].idxmax(), "epoch"]


def test_metrics_csv_has_a_row_an_epoch_and_training_learns(finished: Path) -> None:
    table = pd.read_csv(finished / "metrics.csv")
    assert table["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    for key in ("loss", "dice", "iou", "accuracy", "precision", "recall", "dice_pooled"):
        for split in ("train", "val"):
            assert table[f"{split}/{key}"].notna().all()
    assert table["train/loss"].iloc[-1] < table["train/loss"].iloc[0]


def test_patients_are_disjoint_and_every_file_is_listed(finished: Path) -> None:
    table = pd.read_csv(finished / "split.csv")
    assert len(table) == 20
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "val", "test"}
    assert table["image_sha256"].str.len().eq(64).all()


def test_the_test_figures_are_recomputed_from_the_weights_alone(finished: Path) -> None:
    """The self-contained checkpoint, read as a stranger would, gives test_cases.csv and
    test.json.
    """
    content = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
    metadata = content["seg"]
    pre, config = metadata["preprocessing"], metadata["config"]
    model = UNet(**{k: v for k, v in config["model"].items() if k != "_target_"})
    model.load_state_dict(torch.load(finished / "model.pth", weights_only=True))
    model.eval()
    normalize = Normalize(mode=pre["normalize"], mean=pre["mean"], std=pre["std"])
    split = pd.read_csv(finished / "split.csv")
    root = next(Path(config["dataset"]["root"]).glob("organs-*"))
    dice = {}
    for row in split[split["split"] == "test"].itertuples():
        import cv2

        image = cv2.resize(
            np.array(Image.open(root / row.image)), pre["size"][::-1], interpolation=cv2.INTER_AREA
        )
        mask = cv2.resize(
            np.array(Image.open(root / row.mask)), pre["size"][::-1],
            interpolation=cv2.INTER_NEAREST_EXACT,
        )  # fmt: skip
        with torch.no_grad():
            logits = model(normalize(torch.from_numpy(image).permute(2, 0, 1)[None]))
        predicted, true = (torch.sigmoid(logits)[0, 0] > metadata["threshold"]).numpy(), mask == 255
        total = predicted.sum() + true.sum()
        dice[row.image] = 2 * (predicted & true).sum() / total if total else 1.0
    table = pd.read_csv(finished / "test_cases.csv").set_index("case")
    for case, value in dice.items():
        assert table.loc[case, "dice"] == pytest.approx(value, abs=2e-3)
    scores = json.loads((finished / "test.json").read_text())
    assert scores["cases"] == len(dice)
    assert scores["metrics"]["dice"]["value"] == pytest.approx(table["dice"].mean(), abs=1e-6)
    figure = scores["metrics"]["dice"]
    assert figure["low"] <= figure["value"] <= figure["high"]


def test_best_weights_are_tested_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kidney document kept the last weights. Here they are spoilt after the fourth epoch."""
    from seg.training.epoch_log import EpochLog

    original = EpochLog.on_train_epoch_start

    def spoil(self, trainer, module) -> None:
        original(self, trainer, module)
        if trainer.current_epoch >= 4:
            module.model.head.bias.data.fill_(50.0)  # everything is foreground

    monkeypatch.setattr(EpochLog, "on_train_epoch_start", spoil)
    folder = run(LEARNS, tmp_path)
    table = pd.read_csv(folder / "metrics.csv")
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 5
    assert best["epoch"] < 4
    assert best["epoch"] + 1 == table.loc[table["val/dice"].idxmax(), "epoch"]
    scores = json.loads((folder / "test.json").read_text())["metrics"]
    assert scores["specificity"]["value"] > 0.2  # the last weights' is 0
    weights = torch.load(folder / "model.pth", weights_only=True)
    assert all(torch.equal(weights[k], best["state_dict"][f"model.{k}"]) for k in weights)


def test_callbacks_keep_their_state_under_the_names_of_earlier_versions(finished: Path) -> None:
    """Else a checkpoint of an earlier version would be resumed without them."""
    states = torch.load(finished / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    assert {name.partition("{")[0] for name in states} == {"History", "_Movable"}


def test_tensorboard_holds_scalars_panels_graph_and_hparams(finished: Path) -> None:
    events = EventAccumulator(str(finished), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    scalars = {"train/loss", "val/loss", "train/dice", "val/dice", "val/iou", "lr", "test/dice"}
    assert scalars <= set(tags["scalars"])
    assert tags["images"] == ["panels/val"]
    assert tags["graph"]
    assert [e.step for e in events.Scalars("val/dice")] == [1, 2, 3, 4, 5, 6]
    plugin = events.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert b"optimizer.lr" in plugin.content


def test_the_same_seed_gives_the_same_figures(tmp_path: Path, tiny: list[str]) -> None:
    tables = [
        pd.read_csv(run([*tiny, f"dataset.num_workers={w}"], tmp_path / str(w)) / "metrics.csv")
        for w in (0, 1)
    ]
    pd.testing.assert_frame_equal(*(t.drop(columns="seconds") for t in tables))


def test_two_launches_in_one_second_get_two_folders(tmp_path: Path) -> None:
    from seg.runs.atomic import fresh_folder

    assert len({fresh_folder(tmp_path) for _ in range(5)}) == 5


def test_several_classes_train_with_figures_for_each(tmp_path: Path, tiny: list[str]) -> None:
    folder = run(["dataset=synthetic_classes", *tiny, "loss=ce_dice"], tmp_path)
    scores = json.loads((folder / "test.json").read_text())
    assert list(scores["classes"]) == ["organ", "lesion"]
    mean = np.mean([scores["classes"][c]["dice"]["value"] for c in scores["classes"]])
    assert scores["metrics"]["dice"]["value"] == pytest.approx(mean)
    table = pd.read_csv(folder / "metrics.csv")
    assert {"val/dice/organ", "val/dice/lesion"} <= set(table.columns)
    assert set(pd.read_csv(folder / "test_cases.csv")["class"]) == {"organ", "lesion"}


@pytest.mark.parametrize(
    ("loss", "optimizer"), [("bce", "adam"), ("dice", "sgd"), ("ce", "adam"), ("bce", "sgd")]
)
def test_losses_and_optimizers_train(
    tmp_path: Path, tiny: list[str], loss: str, optimizer: str
) -> None:
    # without augmentation, so that three epochs on a few images are enough to see the loss fall
    options = [f"loss={loss}", f"optimizer={optimizer}", "dataset.batch_size=2"]
    options += ["augmentation=none"]
    folder = run([*tiny, *options, "trainer.max_epochs=3"], tmp_path)
    assert folder.parent.name == f"synthetic-unet-{loss}"
    losses = pd.read_csv(folder / "metrics.csv")["train/loss"].tolist()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("scheduler", ["none", "cosine", "plateau", "onecycle"])
def test_schedulers_move_the_rate_as_they_say(
    tmp_path: Path, tiny: list[str], scheduler: str
) -> None:
    more = ["optimizer.lr=1e-3", "trainer.max_epochs=3"]
    if scheduler == "plateau":  # a validation Dice that never rises
        more += ["scheduler.patience=0", "optimizer=sgd", "optimizer.lr=1e-6", "model.norm=none"]
    folder = run([*tiny, f"scheduler={scheduler}", *more], tmp_path)
    rates = pd.read_csv(folder / "metrics.csv")["lr"].tolist()
    if scheduler == "none":
        assert rates == [1e-3] * 3
    elif scheduler == "plateau":
        assert rates == [1e-6, 1e-6, 5e-7]
    elif scheduler == "cosine":
        assert rates[1] > rates[2]
    else:
        assert rates[0] < rates[1] > rates[2]


def test_two_stages_keep_one_split_and_start_from_the_best(
    tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seg.training.stages import NextStage

    seen = {}
    original = NextStage.on_train_epoch_start

    def spy(self, trainer, module) -> None:
        before = module.stage_index
        original(self, trainer, module)
        if module.stage_index != before:
            best = torch.load(self.best, weights_only=True)
            seen["epoch"] = trainer.current_epoch
            seen["equal"] = all(
                torch.equal(v, best["state_dict"][k]) for k, v in module.state_dict().items()
            )
            seen["lr"] = trainer.optimizers[0].param_groups[0]["lr"]

    monkeypatch.setattr(NextStage, "on_train_epoch_start", spy)
    folder = run(
        ["experiment=hyperkvasir", "dataset=synthetic", *tiny, "trainer.max_epochs=3",
         "stages.dice.max_epochs=2", "dataset.batch_size=4"],
        tmp_path,
    )  # fmt: skip
    table = pd.read_csv(folder / "metrics.csv")
    assert table["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert table["stage"].tolist() == ["BCELoss"] * 3 + ["dice"] * 2
    assert table["lr"].tolist() == [1e-3] * 3 + [1e-4] * 2
    assert seen == {"epoch": 3, "equal": True, "lr": 1e-4}
    split = pd.read_csv(folder / "split.csv")
    held_out = set(split.loc[split["split"] == "test", "image"])
    assert set(pd.read_csv(folder / "test_cases.csv")["case"]) == held_out


def test_early_stopping_ends_the_run(tmp_path: Path, tiny: list[str]) -> None:
    folder = run([*tiny, "optimizer.lr=0", "early_stopping=2", "trainer.max_epochs=20"], tmp_path)
    assert len(pd.read_csv(folder / "metrics.csv")) < 10
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, tiny: list[str]) -> None:
    with pytest.raises(ValueError, match="training loss is nan in epoch 1: .*optimizer.lr"):
        run([*tiny, "optimizer=sgd", "optimizer.lr=1e30", "trainer.precision=32"], tmp_path)
    facts = json.loads(next(tmp_path.glob("*-*/*/run.json")).read_text())
    assert facts["status"] == "failed"
    assert "optimizer.lr" in facts["error"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("dataset.root=nowhere", FileNotFoundError),
        ("dataset.classes={organ: 7}", DataErrors),
        ("dataset.group='(never)'", DataErrors),
        ("dataset.split.val=500", ValueError),
        ("augmentation.transforms.0.p=2", ValueError),
    ],
)
def test_nothing_is_written_before_the_data_are_read_and_the_network_is_tried(
    wrong: str, error: type[Exception], folder: Path, tmp_path: Path, tiny: list[str]
) -> None:
    own = [line for line in tiny if not re.match(r"dataset\.(patients|frames|size)=", line)]
    own += [
        f"dataset.root={folder}",
        f"dataset.cache_dir={tmp_path / 'c'}",
        "augmentation=flip_rotate_zoom",
    ]
    with pytest.raises(error):
        train(compose(["dataset=folder", *own, wrong, f"output_dir={tmp_path / 'out'}"]))
    assert not (tmp_path / "out").exists()


def test_a_finished_run_needs_no_data(tmp_path: Path, tiny: list[str]) -> None:
    data = tmp_path / "data"
    options = [*tiny, f"dataset.root={data}", "trainer.max_epochs=1", "resume=auto"]
    folder = run(options, tmp_path / "out")
    data.rename(tmp_path / "moved")
    (tmp_path / "data").write_text("")  # nothing can be read from it, or made there
    assert run(options, tmp_path / "out") == folder


def test_a_batch_larger_than_the_data_trains(tmp_path: Path, tiny: list[str]) -> None:
    folder = run([*tiny, "dataset.batch_size=128", "trainer.max_epochs=1"], tmp_path)
    assert (folder / "test.json").is_file()


def test_the_batch_size_does_not_change_the_figures(tmp_path: Path, tiny: list[str]) -> None:
    """lr 0: the same weights are scored in batches of 1, 3 and 16."""
    scores = []
    for batch in (1, 3, 16):
        options = [f"dataset.batch_size={batch}", "optimizer.lr=0", "trainer.max_epochs=1"]
        folder = run(
            [*tiny, *options, "model.norm=group", "trainer.precision=32"], tmp_path / str(batch)
        )
        scores.append(json.loads((folder / "test.json").read_text())["metrics"])
    assert scores[0] == scores[1] == scores[2]


def test_weights_of_another_run_can_be_started_from(
    finished: Path, tmp_path: Path, tiny: list[str]
) -> None:
    same = ["model.width=8", "optimizer.lr=0", "trainer.max_epochs=1"]
    folder = run([*tiny, *same, f"init_from='{finished}'"], tmp_path)
    before, after = (torch.load(f / "model.pth", weights_only=True) for f in (finished, folder))
    weights = [k for k in before if "running" not in k and "num_batches" not in k]
    assert all(torch.equal(before[k], after[k]) for k in weights)


def test_refusals_on_the_command_line_are_short_and_leave_nothing(tmp_path: Path) -> None:
    done = command("loss=dise", "optimizer.lr=-1", "+lrr=2", cwd=tmp_path)
    assert done.returncode == 1
    assert "nearest: dice" in done.stderr
    assert len(done.stderr.splitlines()) < 20
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, tiny: list[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match="trainer.accelerator=gpu"):
        run([*tiny, "trainer=gpu"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_flags_may_stand_after_overrides(tmp_path: Path) -> None:
    done = command("loss=dice", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seg.losses.dice.DiceLoss" in done.stdout
    assert command("--nonsense", cwd=tmp_path).returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_stray_variables_of_a_cluster_change_nothing(tmp_path: Path, tiny: list[str]) -> None:
    stray = {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "LANG": "C"}
    done = command(*tiny, "trainer.max_epochs=1", cwd=tmp_path, **stray)
    assert done.returncode == 0, done.stderr


def test_missing_data_is_one_message(tmp_path: Path) -> None:
    done = command("dataset=folder", "dataset.root=nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: dataset.root=nowhere")
    assert "Traceback" not in done.stderr


def test_a_sweep_runs_all_jobs_and_names_the_one_that_failed(
    tmp_path: Path, tiny: list[str]
) -> None:
    # 5e30 passes check, and makes the loss overflow in its job alone
    done = command(
        "--multirun", *tiny, "optimizer=sgd", "optimizer.lr=1e-2,5e30", "loss=bce,dice",
        "trainer.max_epochs=1", "trainer.precision=32", "model.norm=none", cwd=tmp_path,
    )  # fmt: skip
    sweep = next((tmp_path / "outputs" / "multirun").iterdir())
    rows = list(csv.DictReader((sweep / "leaderboard.csv").open()))
    status = {row["run"]: row["status"] for row in rows}
    assert len(status) == 4, done.stderr
    assert status["0_loss=bce,optimizer.lr=0.01"] == "finished"
    assert status["1_loss=dice,optimizer.lr=0.01"] == "finished"
    failed = [name for name, s in status.items() if s == "failed"]
    assert failed
    assert done.returncode == 1
    assert all(name in done.stdout for name in failed)


@pytest.mark.slow
def test_sigterm_ends_with_143_and_ctrl_c_with_130(tmp_path: Path, tiny: list[str]) -> None:
    root = Path(__file__).resolve().parents[1]
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        output = tmp_path / str(status)
        process = subprocess.Popen(
            [sys.executable, "-m", "seg.train", *tiny, "trainer.max_epochs=2000",
             f"output_dir={output}"],
            env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.time() + 120
        while not list(output.glob("*-*/*/checkpoints/last.ckpt")) and time.time() < deadline:
            time.sleep(0.3)
        process.send_signal(number)
        assert process.wait(timeout=60) == status
        folder = next(output.glob("*-*/*"))
        assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.slow
def test_two_ranks_give_the_figures_of_one(tmp_path: Path, tiny: list[str]) -> None:
    """Uneven validation and test sets: ranks are filled up with repeats, which must not count."""
    options = [*tiny, "optimizer.lr=0", "trainer.max_epochs=1", "trainer.precision=32",
               "model.norm=group", "trainer.accelerator=cpu", "dataset.batch_size=2",
               "dataset.split.val=3", "dataset.split.by=file", "dataset.split.test=5"]  # fmt: skip
    scores = []
    for name, extra in (("one", []), ("two", ["trainer=ddp", "trainer.devices=2"])):
        ordered = [*extra, *options]
        done = command(*ordered, f"output_dir={tmp_path / name}", cwd=tmp_path, OMP_NUM_THREADS="1")
        assert done.returncode == 0, done.stderr
        assert "Error" not in done.stderr
        folder = next((tmp_path / name).glob("*-*/*"))
        assert "best_epoch" in json.loads((folder / "run.json").read_text())
        scores.append(json.loads((folder / "test.json").read_text()))
    assert scores[0]["cases"] == 5
    assert scores[0] == scores[1]
