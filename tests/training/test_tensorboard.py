"""HParams show what was trained, in texts that fit a column."""

import errno
import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter

from seg.runs.folder import RunFolder
from seg.training.tensorboard import add_hparams, add_hparams_of, event_file

CSV = "epoch,lr,val/dice\n1,0.1,0.25\n2,0.1,0.75\n3,0.1,0.5\n"


def stored(folder: Path) -> tuple[list[str], dict[str, float], list[int]]:
    """The columns of HParams, the figures, and the status of each time that they were written."""
    columns, figures, statuses = [], {}, []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                content = value.metadata.plugin_data.content
                if value.tag == "_hparams_/experiment":
                    data = HParamsPluginData.FromString(content)
                    columns = [m.name.tag for m in data.experiment.metric_infos]
                elif value.tag == "_hparams_/session_end_info":
                    data = HParamsPluginData.FromString(content)
                    statuses.append(data.session_end_info.status)
                elif value.tag.startswith(("best/", "test/")):
                    figures[value.tag] = value.tensor.float_val[0]
    return columns, figures, statuses


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The folder of a run whose process is gone."""
    (tmp_path / "config.yaml").write_text("seed: 1\noptimizer: {_target_: a.Adam, lr: 0.1}\n")
    (tmp_path / "metrics.csv").write_text(CSV)
    SummaryWriter(str(tmp_path)).close()
    return tmp_path


def test_a_killed_run_gets_hparams_from_its_files_once(killed: Path) -> None:
    add_hparams_of(killed)
    columns, figures, statuses = stored(killed)
    assert {"best/val/dice", "test/dice", "test/iou"} <= set(columns)
    assert figures == {"best/val/dice": 0.75}
    assert statuses == [STATUS_FAILURE]
    files = sorted(killed.iterdir())
    add_hparams_of(killed)
    assert sorted(killed.iterdir()) == files
    (killed / "metrics.csv").write_text(CSV + "4,0.1,0.875\n")  # it was resumed
    add_hparams_of(killed)
    assert stored(killed)[1:] == ({"best/val/dice": 0.875}, [STATUS_FAILURE] * 2)


def test_final_hparams_are_not_written_again(killed: Path) -> None:
    with SummaryWriter(str(killed)) as writer:
        add_hparams(writer, {"seed": 1}, {"best/val/dice": 0.75, "test/dice": 0.5}, epoch=2)
    test = {"split": "test", "cases": 1, "metrics": {"dice": {"value": 0.5}}}
    (killed / "test.json").write_text(json.dumps(test))
    add_hparams_of(killed)
    assert stored(killed)[1:] == ({"best/val/dice": 0.75, "test/dice": 0.5}, [STATUS_SUCCESS])


def test_a_run_that_ends_with_an_error_has_hparams_and_the_error(killed: Path) -> None:
    def fail() -> None:
        with event_file(RunFolder(killed)) as writer:
            writer.add_scalar("val/dice", 0.75, 2)
            raise KeyError("nan")

    with pytest.raises(KeyError, match="nan"):
        fail()
    assert stored(killed)[1:] == ({"best/val/dice": 0.75}, [STATUS_FAILURE])


def test_a_full_disk_names_the_event_file_where_no_other_file_is_named(killed: Path) -> None:
    def fail(*name: str) -> None:
        with event_file(RunFolder(killed)):
            raise OSError(errno.ENOSPC, "No space left on device", *name)

    with pytest.raises(OSError) as caught:
        fail()
    assert Path(caught.value.filename) in killed.glob("events.out.tfevents.*")
    with pytest.raises(OSError) as caught:
        fail("last.ckpt")
    assert caught.value.filename == "last.ckpt"


def test_a_run_without_an_epoch_and_a_folder_without_a_run_are_no_errors(killed: Path) -> None:
    (killed / "metrics.csv").unlink()
    add_hparams_of(killed)
    assert stored(killed)[1:] == ({}, [STATUS_FAILURE])
    (killed / "config.yaml").unlink()
    add_hparams_of(killed)
    assert stored(killed)[2] == [STATUS_FAILURE]


def test_a_torn_event_file_is_read_as_far_as_it_goes(killed: Path) -> None:
    add_hparams_of(killed)
    (first, *_) = sorted(killed.glob("events*"))
    first.write_bytes(first.read_bytes()[:-3])
    before = sorted(killed.iterdir())
    add_hparams_of(killed)
    assert sorted(killed.iterdir()) == before


def test_what_a_sweep_varies_is_among_the_first_columns(killed: Path) -> None:
    values = {"augmentation": "light", "dataset.image_size": 64, "loss": "dice", "seed": 1}
    with SummaryWriter(str(killed)) as writer:
        add_hparams(writer, values, {}, epoch=1, name="0_loss=dice,seed=1")
    first = []
    for path in killed.glob("events.out.tfevents.*"):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.tag == "_hparams_/experiment":
                    data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                    first += [i.name for i in data.experiment.hparam_infos if i.differs]
    assert sorted(first) == ["loss", "seed"]
