import importlib.util
import json
from pathlib import Path

import pytest
import torch

PATH = Path(__file__).parents[2] / "benchmarks" / "train_step.py"
TINY = ["--image-size=32", "--batch-size=2", "--width=2", "--depth=1", "--rounds=2", "--steps=3"]
DATA = ["--overrides", "dataset.patients=10", "dataset.frames=2", "dataset.size=32", "trainer=cpu"]


@pytest.fixture(scope="module")
def train_step():
    spec = importlib.util.spec_from_file_location("train_step", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_clock_takes_the_median_of_the_steps_after_the_warmup(train_step):
    clock = train_step.Clock(torch.device("cpu"), steps=3)
    assert [clock.tick() for _ in range(train_step.WARMUP + 3)][-2:] == [False, True]
    clock.ends = [90.0] * (train_step.WARMUP - 1) + [100.0, 101.0, 103.0, 109.0]
    assert clock.seconds() == 2.0


def test_every_contestant_is_timed_in_every_round(train_step, tmp_path, capsys):
    target = tmp_path / "figures.json"
    train_step.main([*TINY, "--output", str(tmp_path / "out"), "--json", str(target), *DATA])
    rows = json.loads(target.read_text())["by_round"]
    seg, ceiling, loop = (rows[f"{n}, ms per image"] for n in ("seg", "ceiling", "fp32 loop"))
    assert len(seg) == len(ceiling) == len(loop) == 2
    assert min(seg + ceiling + loop) > 0
    assert rows["seg, times as fast as fp32 loop"][1] == pytest.approx(loop[1] / seg[1])
    assert rows["seg, % of the ceiling's throughput"][1] == pytest.approx(100 * ceiling[1] / seg[1])
    assert "batches of 2 at 32x32" in capsys.readouterr().out


def test_too_few_images_for_the_steps_are_refused(train_step, tmp_path):
    arguments = [*TINY, "--steps=300", "--output", str(tmp_path), *DATA]
    with pytest.raises(ValueError, match="need 606 training images"):
        train_step.main(arguments)
