"""README.md and docs/: links lead somewhere, commands are right, the pages can be built."""

import importlib.util
import itertools
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from hydra._internal.utils import get_args_parser
from omegaconf import OmegaConf

import seg
from seg.cli.help import groups_of, leaves
from seg.cli.overrides import parse
from seg.cli.review import review
from tests.commands import seg as run_command
from tests.pages import COMMAND, PAGES, ROOT, anchors, code, commands, tokens

IDS = [path.stem for path in PAGES]
# files of one's own that a page names and does not show
OWN = {
    "my_conf/loss/mine.yaml": "_target_: seg.losses.dice.DiceLoss",
    "my_conf/logger/mine.yaml": "# @package logger.mine\n_target_: torch.nn.Identity",
    "my_conf/callbacks/mine.yaml": "# @package callbacks.mine\n_target_: torch.nn.Identity",
    "experiment/my_data.yaml": "# @package _global_\nseed: 1",
    "experiment/mine.yaml": "# @package _global_\nseed: 1",
    "experiment/NAME.yaml": "# @package _global_\nseed: 1",
    "model.onnx": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML files that the pages show, in a folder, and a run's configuration in RUN."""
    root = tmp_path_factory.mktemp("docs")
    shown = dict(OWN)
    for token in (token for page in PAGES for token in tokens(page) if token.type == "fence"):
        if match := re.match(r"(?:# @package.*\n)?# ([\w/]+\.yaml)\b", token.content):
            shown[match[1]] = token.content
    assert "my_conf/loss/vessels.yaml" in shown
    for name, text in shown.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    (root / "RUN").mkdir()
    OmegaConf.save(seg.compose([]), root / "RUN" / "config.yaml")
    return root


def composed(command: str, words: list[str]) -> None:
    """Check a command line as the command does before it runs."""
    if words == ["--help"]:
        return
    arguments = get_args_parser().parse_args([word for word in words if word != "--help"])
    arguments.config_name = arguments.config_name or command
    arguments.cfg = "job"
    review(arguments, command=command)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_is_right(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    wrong = []
    for command, words in commands(page):
        try:
            composed(command, words)
        except ValueError as error:
            wrong.append(f"seg.{command} {shlex.join(words)}: {error}")
    assert wrong == []


def test_the_commands_were_read() -> None:
    counts = {page.stem: len(commands(page)) for page in PAGES}
    assert sum(counts.values()) > 90
    assert min(counts[name] for name in ("README", "data", "losses", "models", "sweeps")) > 3


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_combination_of_choices_is_right(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as `model=unet model.width=16`."""
    monkeypatch.chdir(folder)
    wrong = []
    for line in code(page):
        if not re.match(r"(dataset|model|loss|experiment)=[a-z]\w+ ", line):
            continue
        words = shlex.split(line, comments=True)
        if not parse(words)[1] and all("=" in word and "..." not in word for word in words):
            try:
                composed("train", words)
            except ValueError as error:
                wrong.append(f"{line}: {error}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_other_command_is_there(page: Path) -> None:
    """Targets of make, extras, scripts with their options."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in code(page):
        for target in re.findall(r"(?:^|\s)make ([\w-]+)(?!\S)", line.partition("#")[0]):
            assert target in targets
        for extras in re.findall(r"(?:seg-med|\.|\.whl)\[([\w,-]+)\]", line):
            assert set(extras.split(",")) <= set(project["optional-dependencies"])
        if match := re.match(r"python (benchmarks/\w+\.py)(.*)", line):
            text = (ROOT / match[1]).read_text()
            assert [o for o in re.findall(r" (--[a-z-]+)", match[2]) if f'"{o}"' not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for token in tokens(page):
        target = token.attrs.get("href") or token.attrs.get("src")
        if not target or re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.is_file() or (anchor and anchor not in anchors(path)):
            dead.append(target)
        elif page.parent != ROOT and ROOT / "docs" not in path.parents:
            dead.append(f"{target}: not in the built pages")
    assert dead == []


def test_the_links_were_read() -> None:
    links = [token for page in PAGES for token in tokens(page) if token.type == "link_open"]
    assert len(links) > 50
    assert "the-documents-figures" in anchors(ROOT / "docs" / "protocols.md")


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r": ([\w-]+\.md)$", text, re.M)
    assert sorted(listed) == [page.name for page in PAGES if page.parent != ROOT]


def test_every_message_that_is_explained_is_in_the_code() -> None:
    page = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \|", page, re.M)
    messages = [m for row in rows if "own)" not in row for m in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 40
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "seg").rglob("*.py"))
    parts = {part.strip() for message in messages for part in message.split("...")}
    assert [part for part in parts if part not in code] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_python_block_can_be_read(page: Path) -> None:
    for token in tokens(page):
        if token.info == "python":
            compile(token.content, page.name, "exec")


def test_the_documented_loss_works() -> None:
    (text,) = (t.content for t in tokens(ROOT / "docs" / "contributing.md") if t.info == "python")
    names = {}
    exec(text, names)
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    target = torch.zeros(2, 8, 8, dtype=torch.int64)
    target[0, 2:6, 2:6] = 1
    plain, squared = (names["PowerDiceLoss"](power=power)(logits, target) for power in (1.0, 2.0))
    assert squared.item() == pytest.approx(plain.item() ** 2)
    squared.backward()
    assert logits.grad.abs().sum() > 0


def reference() -> str:
    """What is put into configuration.md when the pages are built."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.on_page_markdown((ROOT / "docs" / "configuration.md").read_text())


def test_the_reference_has_every_choice_and_every_key() -> None:
    text = reference()
    for group, choices in groups_of("train", [ROOT / "conf"]).items():
        assert [name for name in choices if f"### {group}={name}\n" not in text] == []
    keys = leaves(OmegaConf.to_container(seg.compose(["model=lite_unet"]), resolve=False))
    rows = set(re.findall(r"^\| `([\w.]+)=", text, re.M))
    whole = ("augmentation.", "loss.terms.", "logger.", "callbacks.")  # shown otherwise
    assert [key for key, _ in keys if key not in rows and not key.startswith(whole)] == []
    assert "| `dataset.image_size=256` | side in pixels, or [height, width];" in text
    assert "| `loss.gamma=2.0` |" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quickstart", "tutorial"])
def test_a_page_runs_from_its_first_command_to_its_last(name: str, tmp_path: Path) -> None:
    """As printed, but for smaller pictures and networks and a single epoch."""
    pytest.importorskip("onnxruntime")
    data = ["dataset.patients=12", "dataset.frames=2", "dataset.size=48"]
    less = ["dataset.image_size=32", "model.depth=2", "trainer.max_epochs=1"]
    page = tokens(ROOT / "docs" / f"{name}.md")
    fences = [t.content.replace("\\\n", " ") for t in page if t.type == "fence" and not t.info]
    ran = []
    for line in itertools.chain.from_iterable(text.splitlines() for text in fences):
        if line.startswith("cp "):
            subprocess.run(line, shell=True, check=True, cwd=tmp_path)
        match = COMMAND.fullmatch(line) or re.fullmatch(r"python -m seg\.(\w+)()", line)
        if match is None or "--help" in line:
            continue
        words = shlex.split(match[2])
        if "RUN" in line:
            folders = (tmp_path / "outputs").glob("*-unet-*/*/test.json")
            run = max(folders, key=lambda path: path.stat().st_mtime_ns).parent
            words = [word.replace("=RUN", f"={run}") for word in words]
        if match[1] in ("train", "prepare") and "dataset=folder" not in words:
            words += [] if "experiment=mine" in words else data
        if match[1] == "train":
            words += ["trainer.max_epochs=1"] if "experiment=mine" in words else less
        if "dataset.root=my_data" in words and not (tmp_path / "my_data").is_dir():
            (source,) = (tmp_path / "outputs" / "data").iterdir()
            shutil.copytree(source, tmp_path / "my_data")
        ran.append(run_command(match[1], *words, cwd=tmp_path))
    assert len(ran) >= 9
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"report.html", "leaderboard.html", "predictions.csv", "audit.json"} <= written


@pytest.mark.slow
def test_the_pages_are_built_without_a_warning_and_need_no_network(tmp_path: Path) -> None:
    missing = [n for n in ("mkdocs", "material", "mkdocstrings") if not importlib.util.find_spec(n)]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed; `make docs` installs them")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert len(pages) > len(PAGES) - 2
    for page in pages:
        fetched = re.findall(
            r"<(?:script|img|link)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*", page.read_text()
        )
        assert fetched == []
