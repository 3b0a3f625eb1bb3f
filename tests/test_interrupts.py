"""Ctrl-C and SIGTERM, once and again, at each moment of a run: `interrupted`, nothing torn."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a training for each moment

ROOT = Path(__file__).resolve().parents[1]
INT, TERM = signal.SIGINT.value, signal.SIGTERM.value
SEQUENCES = [[INT], [INT, INT, INT], [TERM, TERM], [INT, TERM], [TERM, INT]]

# Trains once for each place and sequence, in forked processes, so that torch is imported once.
# A place is a function that is slowed; its process says so, and then gets the signals.
CODE = """
import json, os, signal, sys, time
from pathlib import Path
import numpy as np
import torch
from seg import launch, train
from seg.report import curves, panels
from seg.runs import atomic, watchdog
from seg.training import tensorboard, weights
from seg.training.epoch_log import EpochLog

root, places, sequences, tiny = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])


def wait():
    os.write(reached, b"x")
    time.sleep(1)


class Slow:
    def __init__(self, handle):
        self.handle, self.writes = handle, 0

    def write(self, data):
        self.writes += 1
        if self.writes == 2:
            wait()
        return self.handle.write(data)

    def __getattr__(self, name):
        return getattr(self.handle, name)


def slow(owner, name, when=lambda *args, **more: True):
    original = getattr(owner, name)

    def slowed(*args, **more):
        if when(*args, **more):
            wait()
        return original(*args, **more)

    setattr(owner, name, slowed)


def slow_checkpoint(name, epoch):
    save = torch.save

    def slowed(content, handle):
        is_it = Path(handle.name).name.startswith(f".{name}") and content.get("epoch") == epoch
        save(content, Slow(handle) if is_it else handle)

    torch.save = slowed


PLACES = {
    "begin": lambda: slow(watchdog, "start"),
    "best": lambda: slow_checkpoint("best.ckpt", 0),
    "last": lambda: slow_checkpoint("last.ckpt", 1),
    "metrics": lambda: slow(EpochLog, "_write", lambda self: len(self.rows) == 2),
    "panel": lambda: slow(panels, "draw"),
    "test": lambda: slow(atomic, "write_json", lambda path, _: path.name == "test.json"),
    "weights": lambda: slow(weights, "write_weights"),
    "end": lambda: slow(watchdog, "write_status", lambda *args, final: final),
}
results = []
for place in places:
    for sequence in sequences:
        output = root / "-".join([place, *map(str, sequence)])
        listened, reached = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if place != "panel":
                for owner, name in ((panels, "draw"), (curves, "draw"), (tensorboard, "add_graph")):
                    setattr(owner, name, lambda *args, **more: np.zeros((8, 8, 3), np.uint8))
            PLACES[place]()
            sys.argv = ["seg.train", *tiny, f"output_dir={output}"]
            status = 99
            try:
                launch.launch(train.train, config_name="train")
            except SystemExit as error:
                status = error.code
            finally:
                os._exit(status)
        os.close(reached)
        assert os.read(listened, 1), f"{place}: not reached"
        for number in sequence:
            time.sleep(0.15)
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                break
        results.append([place, sequence, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])])
        os.close(listened)
print(json.dumps(results))
"""


@pytest.mark.parametrize("places", [["best", "last"], ["begin", "metrics", "panel"],
                                    ["test", "weights", "end"]])  # fmt: skip
def test_signals_at_any_moment_leave_an_interrupted_run_that_resumes(
    places: list[str], tiny: list[str], tmp_path: Path
) -> None:
    import torch  # noqa: PLC0415 - only to read what is left

    options = [*tiny, "trainer=cpu", "trainer.precision=32", "trainer.max_epochs=3"]
    options += [f"dataset.root={tmp_path / 'data'}", f"dataset.cache_dir={tmp_path / 'c'}"]
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), *map(json.dumps, (places, SEQUENCES, options))],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) == len(places) * len(SEQUENCES)
    for place, sequence, exit_status in results:
        about = (place, sequence, done.stderr)
        [run] = tmp_path.joinpath("-".join([place, *map(str, sequence)])).glob("*/*/run.json")
        facts = json.loads(run.read_text())
        if place == "end":  # the last file is being written: the run is whole
            assert (exit_status, facts["status"]) == (0, "finished"), about
        else:
            assert exit_status in {128 + number for number in sequence}, about
            assert (facts["status"], facts.get("error")) == ("interrupted", None), about
        saved = list(run.parent.glob("checkpoints/*.ckpt"))
        assert bool(saved) == (place not in ("begin", "best")), about
        for path in saved:
            torch.load(path, weights_only=True)
