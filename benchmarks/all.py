"""Every figure of speed in one table. python benchmarks/all.py --data DIR [--output speed] [--only NAME ...]

DIR holds images/ and masks/. On a machine with a CUDA GPU the GPU's measurements run, within
`--minutes 8`; else the CPU's, in about half an hour on two cores. Each is a script of this folder that
measures by turns. speed/speed.md is the table, speed/speed.json has every round and the commands.
"""  # noqa: E501

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parent
TINY = ["--image-size", "32", "--width", "1", "--depth", "1", "--batch-size", "2", "--steps", "40"]


def on_cpu(data: str, run: str) -> dict[str, list[str]]:
    """The measurements by name: a script of this folder and its arguments."""
    return {
        "training step": ["train_step.py", "--data", data, "--rounds", "3"],
        "host time of a step": ["train_step.py", "--data", data, *TINY],
        "loading": ["loader.py", "--data", data, "--augmentation", "flip_rotate_zoom"],
        "metrics": ["metrics.py"],
        "start": ["start.py"],
        "prediction": ["predict.py", "--run", run, "--data", f"{data}/images"],
        "sweep": [
            "sweep.py",
            "--jobs",
            "6",
            "--against",
            "one_job",
            "dataset=kvasir",
            f"dataset.root={data}",
            "dataset.image_size=64",
            "model.width=8",
            "model.depth=3",
            "trainer.max_epochs=3",
        ],
        "side by side": ["side_by_side.py", "--data", data],
        "growth": ["large_set.py", "--names", "1000000"],
    }


def on_gpu(data: str, run: str, output: Path) -> dict[str, list[str]]:
    """As `on_cpu`, the most telling first. The images of training steps are generated once."""
    step = ["train_step.py", "--batch-size", "16", "--steps", "100", "--rounds", "3"]
    step += ["--output", str(output / "generated"), "--overrides", "dataset.patients=1670"]
    step += ["dataset.frames=1", "dataset.split.val=10", "dataset.split.test=10"]
    full = ["dataset=folder", f"dataset.root={data}", "dataset.image_size=352"]
    measurements = {
        f"training step, {side} px, {augmentation}": [
            *step, "--image-size", str(side), "--augmentation", augmentation,
        ]
        for augmentation in ("none", "strong")
        for side in (128, 256, 352)
    }  # fmt: skip
    for name, model in (("U-Net", "unet"), ("EfficientNet-Lite U-Net", "lite_unet")):
        measurements[f"first epoch, {name}, 352 px"] = [
            "first_epoch.py", *full, f"model={model}", "augmentation=strong",
        ]  # fmt: skip
    measurements["training step, 128 px, compiled"] = [*step, "trainer.compile=true"]
    measurements["metrics"] = ["metrics.py"]
    measurements["prediction"] = [
        "predict.py", "--run", run, "--data", f"{data}/images", "--device", "cuda",
        "--precision", "bf16-mixed", "--rounds", "2", "--without", "onnx",
    ]  # fmt: skip
    measurements["loading, 352 px, strong"] = [
        "loader.py", "--data", data, "--sizes", "256", "352", "--workers", "4", "8", "15",
        "--augmentation", "strong", "--rounds", "2", "--batches", "60",
    ]  # fmt: skip
    return measurements


def trained(data: str, output: Path) -> str:
    """A run folder to predict with, trained in a minute if `output` has none."""
    if not list(output.glob("run/*/model.pth")):
        keys = ["dataset=folder", f"dataset.root={data}", "dataset.image_size=128"]
        keys += ["model.width=16", "trainer.max_epochs=2", "name=run", f"output_dir={output}"]
        subprocess.run([sys.executable, "-m", "seg.train", *keys], cwd=FOLDER.parent, check=True)
    return str(next(output.glob("run/*/model.pth")).parent)


def table(results: dict[str, dict]) -> str:
    """Markdown: a row for each figure of each measurement."""
    lines = ["| | lowest | median | highest |", "|---|---|---|---|"]
    for name, result in results.items():
        for figure, values in result.get("by_round", {}).items():
            cells = (f"{of(values):.3g}" for of in (min, statistics.median, max))
            lines.append(f"| {name}: {figure} | {' | '.join(cells)} |")
        if "by_round" not in result:
            lines.append(f"| {name} | {result['missing']} | | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of images/ and masks/")
    parser.add_argument("--output", type=Path, default=Path("speed"))
    parser.add_argument("--only", nargs="*", help="measurements by name")
    parser.add_argument("--minutes", type=float, help="begin none after so many; 8 on a GPU")
    args = parser.parse_args()
    on_a_gpu = torch.cuda.is_available()
    minutes = args.minutes or (8 if on_a_gpu else 60)
    output, data = args.output.absolute(), str(args.data.absolute())
    output.mkdir(parents=True, exist_ok=True)
    begun, run = time.monotonic(), trained(data, output)
    measurements = on_gpu(data, run, output) if on_a_gpu else on_cpu(data, run)
    results = {}
    for number, (name, (script, *arguments)) in enumerate(measurements.items()):
        if args.only and name not in args.only:
            continue
        left = 60 * minutes - (time.monotonic() - begun)
        file = output / f"{number}.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, str(FOLDER / script), "--json", str(file), *arguments]
        print(f"\n{name}: {script} {' '.join(arguments)}", flush=True)
        results[name] = {"command": [script, *arguments], "missing": "left out: no time"}
        if left > 0:
            results[name]["missing"] = "failed"
            try:
                subprocess.run(command, cwd=FOLDER.parent, check=True, timeout=max(left, 60))
                results[name] |= json.loads(file.read_text(encoding="utf-8"))
            except (subprocess.SubprocessError, OSError) as error:
                print(f"{name} failed: {error}", file=sys.stderr)
        content = {"torch": torch.__version__, "results": results}
        (output / "speed.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        (output / "speed.md").write_text(table(results), encoding="utf-8")
    print(f"\n{table(results)}\n{output / 'speed.md'}, {output / 'speed.json'}")


if __name__ == "__main__":
    main()
