"""A wheel runs from any directory, and takes a user's own configuration and class."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TINY = [
    "dataset.patients=6", "dataset.frames=2", "dataset.size=48", "dataset.image_size=32",
    "model.width=4", "model.depth=2", "trainer.max_epochs=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files in a folder of their own, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def train(site: Path, cwd: Path, *argv: str) -> subprocess.CompletedProcess:
    # -P: the current directory stays off the path, as it is for an installed command
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(cwd / "code")])}
    return subprocess.run(
        [sys.executable, "-P", "-m", "seg.train", *argv],
        cwd=cwd, capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def first(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the wheel, from another directory: three levels below it."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    done = train(site, cwd, *TINY)
    assert done.returncode == 0, done.stderr
    return next((cwd / "outputs" / "synthetic-unet-bce_dice").iterdir())


def test_the_wheel_carries_every_configuration(site: Path) -> None:
    ours = {p.relative_to(ROOT / "conf").as_posix() for p in (ROOT / "conf").rglob("*.yaml")}
    carried = {p.relative_to(site / "seg/conf").as_posix() for p in site.rglob("*.yaml")}
    assert ours == carried
    assert len(ours) > 25
    assert not list(site.rglob("test_*.py"))


def test_the_wheel_carries_every_file_of_its_packages(site: Path) -> None:
    ours, carried = (
        {
            path.relative_to(root).as_posix()
            for package in ("seg", "hydra_plugins")
            for path in (root / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        for root in (ROOT, site)
    )
    assert ours == {name for name in carried if not name.startswith("seg/conf/")}
    templates = {Path(name).name for name in ours if name.startswith("seg/report/templates/")}
    assert {"base.html", "run.html", "model_card.md", "page.css", "caveats.toml"} <= templates


def test_the_distribution_is_not_called_as_the_package_of_a_stranger(site: Path) -> None:
    assert [wheel.name.partition("-")[0] for wheel in site.parent.glob("*.whl")] == ["seg_med"]
    facts = next(site.glob("*.dist-info/METADATA")).read_text(encoding="utf-8").splitlines()
    assert "Name: seg-med" in facts
    assert not any(line.startswith("Requires-Dist: seg") and "extra" not in line for line in facts)


def test_the_wheel_trains_from_another_directory(site: Path, first: Path, tmp_path: Path) -> None:
    where = [sys.executable, "-P", "-c", "import seg.cli.compose; print(seg.cli.compose.CONF_DIR)"]
    shown = subprocess.run(
        where, cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    ).stdout  # fmt: skip
    assert shown.strip() == str(site / "seg" / "conf")
    assert (first / "test.json").is_file()


def test_a_users_own_yaml_and_class_need_no_fork(site: Path, tmp_path: Path) -> None:
    (tmp_path / "my_conf" / "loss").mkdir(parents=True)
    (tmp_path / "my_conf" / "loss" / "mine.yaml").write_text(
        "_target_: my_loss.SquaredError\nscale: 2.0\n"
    )
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "my_loss.py").write_text(
        "import torch\n"
        "class SquaredError(torch.nn.Module):\n"
        "    def __init__(self, *, scale: float) -> None:\n"
        "        super().__init__()\n"
        "        self.scale = scale\n"
        "    def forward(self, logits, target):\n"
        "        error = torch.sigmoid(logits[:, 0]) - (target > 0).float()\n"
        "        return self.scale * error.square().mean()\n"
    )  # fmt: skip
    done = train(site, tmp_path, "--config-dir", "my_conf", "loss=mine", *TINY)
    assert done.returncode == 0, done.stderr
    run = next((tmp_path / "outputs" / "synthetic-unet-mine").iterdir())
    assert "my_loss.SquaredError" in (run / "config.yaml").read_text()
    wrong = train(site, tmp_path, "--config-dir", "my_conf", "loss=mine", "+loss.scal=1", *TINY)
    assert wrong.returncode == 1
    assert "loss.scal: SquaredError takes no such key (nearest: scale)" in wrong.stderr


def test_a_run_is_repeated_from_its_own_configuration(site: Path, first: Path) -> None:
    cwd = first.parents[2]
    relative = first.relative_to(cwd)
    again = train(site, cwd, "--config-path", str(relative), "--config-name", "config")
    assert again.returncode == 0, again.stderr
    runs = sorted(first.parent.iterdir())
    assert len(runs) == 2
    tables = [(r / "test_cases.csv").read_text() for r in runs]
    assert tables[0] == tables[1]


def test_help_names_the_groups_and_keys(site: Path, tmp_path: Path) -> None:
    done = train(site, tmp_path, "--help")
    assert done.returncode == 0
    for word in ("dataset", "kvasir", "optimizer", "max_epochs"):
        assert word in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment(site: Path, tmp_path: Path) -> None:
    """Installed with what it declares and nothing else: an undeclared dependency shows here."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    wheel = next(site.parent.glob("*.whl"))
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel],
        check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "seg.train", *TINY],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "outputs").glob("synthetic-unet-bce_dice/*/test.json"))
