"""check(cfg): what is wrong is named before data is read, all at once."""

import inspect
import re

import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf

from seg.cli.build import build_trainer
from seg.cli.check import check
from seg.cli.compose import ConfigError, compose
from seg.cli.fixed import TRAINER


def problems_of(*overrides: str, command: str = "train") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(compose(overrides, config_name=command), command=command)
    return caught.value.problems


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("optimizer.lr=-1", "optimizer.lr=-1: "),
        ("optimizer.lr=nan", "optimizer.lr=nan: "),
        ("optimizer.lr=abc", "optimizer.lr=abc: "),
        ("dataset.batch_size=0", "dataset.batch_size=0: "),
        ("dataset.batch_size=2.5", "dataset.batch_size=2.5: "),
        ("dataset.batch_size=true", "dataset.batch_size=true: "),
        ("trainer.max_epochs=-5", "trainer.max_epochs=-5: "),
        ("dataset.image_size=[1,2,3]", "dataset.image_size=[1, 2, 3]: "),
        ("threshold=1.5", "threshold=1.5: "),
        ("threshold=null", "threshold=null: "),
        ("dataset.split.by=patient", "group or file"),
        ("model.width=big", "model.width=big: "),
        ("model.norm=batsh", "'none', 'batch', 'instance'"),
        ("model.dropout=2", "model.dropout=2: "),
        ("scheduler.warmup=5", "scheduler.warmup=5: "),
        ("trainer.devices=0", "trainer.devices=0: "),
        ("init_from=nowhere", "init_from=nowhere ("),
        ("init_from_partial=true", "init_from_partial: nothing to start from"),
        ("init_from_partial=3", "init_from_partial=3: must be true or false"),
        ("dataset.split.test=0.9", "leaves nothing to train on"),
        ("dataset.split.folds=5", "dataset.split.fold "),
        ("+trainer.check_val_every_n_epoch=5", "trainer.check_val_every_n_epoch=5: "),
        ("dataset.split.file=nowhere.csv", "dataset.split.file=nowhere.csv ("),
        ("+lrr=3", "lrr: "),
        ("+optimizer.lrr=3", "optimizer.lrr: AdamW takes no such key (nearest: lr)"),
        ("+dataset.batchsize=3", "dataset.batchsize: Synthetic takes no such key (nearest: batch"),
        ("+dataset.split.vall=3", "dataset.split.vall: no such key (nearest: val)"),
        ("+checkpoints.topk=3", "checkpoints.topk: no such key (nearest: top_k)"),
        ("model._target_=seg.models.unet.UNett", "seg.models.unet has no UNett"),
        ("model._target_=nowhere.Net", "no module nowhere.Net"),
        ("+dataset.classes.background=0", "dataset.classes.background: "),
        ("schedule_epochs=100000", "trainer.max_epochs="),
        ("ema=3", "ema=3: "),
        ("optimizer.encoder_lr_scale=0", "optimizer.encoder_lr_scale=0: "),
        ("optimizer.decay_norms_and_biases=3", "optimizer.decay_norms_and_biases=3: "),
        ("+model.frozen_stages=8", "model.frozen_stages=8: "),
        ("+model.freeze_encoder_epochs=-1", "model.freeze_encoder_epochs=-1: "),
        ("ema.decay=1", "ema.decay=1: "),
        ("+ema.decy=0.9", "ema.decy: no such key (nearest: decay)"),
        ("stages=3", "stages=3: must be {NAME: "),
        ("+trainer.logger=true", "trainer.logger: "),
        ("+trainer.callbacks=[{_target_: pytorch_lightning.callbacks.Timer}]", "trainer.callbacks"),
        ("++trainer.default_root_dir=x", "trainer.default_root_dir: "),
        ("+trainer.limit_test_batches=0.5", "trainer.limit_test_batches=0.5: "),
        ("+trainer.gradient_clip_algorithm=value", "trainer.gradient_clip_algorithm: nothing"),
        ("+loss._foo_=1", "loss._foo_: WeightedSum takes no such key"),
    ],
)
def test_a_wrong_value_or_key_is_named(override: str, named: str) -> None:
    problems = problems_of(override)
    assert any(named in problem for problem in problems)
    assert len(problems) <= 2


def test_an_average_that_its_precision_would_lose_is_refused() -> None:
    problems = problems_of("ema.decay=0.999", "trainer.precision=bf16-true")
    assert problems == [next(p for p in problems if p.startswith("ema: bf16-true"))]


def test_every_key_of_the_trainer_is_refused_or_reaches_it() -> None:
    """What build_trainer gives itself would replace a key of the configuration without a word."""
    call = inspect.getsource(build_trainer)
    given = re.findall(r"^        (\w+)=", call, re.MULTILINE)
    # the first of them are made from the configuration's own values
    resolved = {"accelerator", "precision", "max_epochs", "_convert_"}
    assert {"logger", "callbacks", "plugins"} <= set(given)
    assert set(given) - resolved <= TRAINER.keys()
    assert TRAINER.keys() <= inspect.signature(pl.Trainer).parameters.keys()
    for key in TRAINER:
        assert any(p.startswith(f"trainer.{key}: ") for p in problems_of(f"+trainer.{key}=null"))
    check(compose(["+trainer.limit_train_batches=3", "+trainer.detect_anomaly=true"]))


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["dataset=synthetic_classes", "threshold=0.3"], "threshold: "),
        (["model=lite_unet", "model.weights=null", "model.frozen_stages=2"],
         "model.frozen_stages: "),
        (["dataset.split.file=.", "dataset.split.folds=5", "dataset.split.fold=0"],
         "dataset.split.fold: "),
    ],
)  # fmt: skip
def test_a_key_that_another_one_makes_useless_is_refused(overrides: list[str], named: str) -> None:
    assert any(problem.startswith(named) for problem in problems_of(*overrides))


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["loss.terms.bce.scale=-1"], "loss.terms.bce.scale=-1: "),
        (["+loss.terms.bce.scal=2"], "loss.terms.bce.scal: BCELoss takes no such key (nearest: sc"),
        (["loss.terms.dice.smooth=0"], "loss.terms.dice.smooth=0: "),
        (["loss.terms.dice.class_weights=[1,2,3]"], "needs 2 numbers, for background, "),
        (["loss.terms.dice.class_weights=often"], "loss.terms.dice.class_weights=often: "),
        (["loss.terms.dice.class_weights=[0,0]"], "loss.terms.dice.class_weights=[0, 0]: "),
        (["loss.terms.dice=null"], "write ~loss.terms.dice"),
        (["+loss.terms.x={scale: 2}"], "loss.terms.x: is no loss"),
        (["dataset=synthetic_classes", "loss=ce", "loss.class_weights=[1,5]"],
         "loss.class_weights=[1, 5]: needs "),
        (["loss=topk_ce", "loss.share=0"], "loss.share=0: "),
    ],
)  # fmt: skip
def test_a_loss_is_checked_with_its_terms(overrides: list[str], named: str) -> None:
    assert any(named in problem for problem in problems_of(*overrides))


def test_terms_are_added_removed_and_replaced() -> None:
    check(compose(["~loss.terms.bce", "loss.terms.dice.class_weights=auto"]))
    check(compose(["+loss@loss.terms.focal=focal", "++loss.terms.focal.scale=2"]))
    term = "+loss.terms.cldice={_target_: seg.losses.cldice.CLDiceLoss, iterations: 3, scale: 0.5}"
    check(compose([term]))


def test_a_rule_of_our_losses_is_none_of_a_librarys() -> None:
    cfg = compose(["loss=bce"])
    cfg.loss = {"_target_": "torch.nn.PoissonNLLLoss", "smooth": -1, "gamma": -1}
    with pytest.raises(ConfigError) as refused:
        check(cfg)
    assert all("takes no such key" in problem for problem in refused.value.problems)


def test_a_wrong_key_within_a_list_is_named() -> None:
    cfg = compose([])
    losses = [{"_target_": "seg.losses.bce.BCELoss", "pos_weigth": 3}]
    OmegaConf.update(cfg, "loss.losses", losses, force_add=True)
    with pytest.raises(ConfigError, match=r"loss\.losses\.0\.pos_weigth: .*pos_weight"):
        check(cfg)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("stages.dice.optimizer.lr=-1", "stages.dice.optimizer.lr=-1: "),
        ("stages.dice.max_epochs=0", "stages.dice.max_epochs=0: "),
        ("+stages.dice.epochs=3", "stages.dice.epochs: no such key (nearest: max_epochs)"),
        ("~stages.dice.loss", "stages.dice.loss: missing"),
        ("+stages.more=3", "stages.more: "),
        ("early_stopping=3", "early_stopping: "),
        ("schedule_epochs=3", "schedule_epochs: "),
    ],
)
def test_a_stage_is_checked_as_the_run_is(override: str, named: str) -> None:
    assert [problem.startswith(named) for problem in problems_of(
        "experiment=hyperkvasir", "dataset.root=x", override
    )] == [True]  # fmt: skip


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.Popen", "builtins.eval", "pickle.loads", "torch.load",
        "torch.hub.load", "urllib.request.urlopen", "shutil.rmtree", "seg.runs.resume.os.system",
        "seg.runs.provenance.subprocess.run", "numpy.load", "joblib.load", "runpy.run_path",
        "torch.utils.collect_env.run", "pydoc.pipepager", "numpy.testing.runstring",
        "logging.handlers.SocketHandler", "cProfile.run", "pandas.read_pickle",
    ],
)  # fmt: skip
def test_a_target_that_could_run_or_fetch_code_is_refused_not_run(target: str) -> None:
    assert any(
        f"refused, {target}" in problem for problem in problems_of(f"model._target_={target}")
    )


def test_all_problems_are_said_at_once() -> None:
    problems = problems_of(
        "optimizer.lr=-1", "dataset.batch_size=0", "trainer.max_epochs=0", "+lrr=1"
    )
    assert {problem.partition(":")[0].partition("=")[0] for problem in problems} == {
        "optimizer.lr", "dataset.batch_size", "trainer.max_epochs", "lrr",
    }  # fmt: skip
    assert len(problems) == 4


def test_the_message_stays_short() -> None:
    wrong = [f"+key{i}=1" for i in range(50)]
    with pytest.raises(ConfigError) as caught:
        check(compose(wrong))
    assert len(str(caught.value).splitlines()) <= 20
    assert "more" in str(caught.value)


def test_missing_values_are_named() -> None:
    assert problems_of("dataset=folder") == ["dataset.root: required; give dataset.root=..."]


def test_lr_zero_is_allowed() -> None:
    check(compose(["optimizer.lr=0"]))


def test_a_key_that_an_older_configuration_lacks_is_named() -> None:
    cfg = compose([])
    del cfg.panels_every
    with pytest.raises(ConfigError, match="panels_every: missing"):
        check(cfg)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("plan=../x", "plan=../x: "),
        ("minutes=0", "minutes=0: "),
        ("against=nowhere", "against=nowhere ("),
        ("dataset.url=ftp://x", "dataset.url=ftp://x: "),
        ("dataset.sha256=abc", "dataset.sha256=abc: "),
        ("dataset.window=[5,1]", "dataset.window=[5, 1]: "),
        ("dataset.split.duplicates=maybe", "dataset.split.duplicates=maybe: "),
        ("+loss=dice", "loss: "),
    ],
)
def test_what_is_wrong_for_prepare_is_said(override: str, named: str) -> None:
    problems = problems_of("dataset=kvasir", override, command="prepare")
    assert [problem.startswith(named) for problem in problems] == [True]


def test_an_escaped_interpolation_is_refused() -> None:
    """The source is built of resolved containers, in which it would be resolved, and obeyed."""
    hidden = "\\${oc.create:'{_target_: os.getcwd}'}"
    cfg = compose(["dataset=folder", "dataset.root=x"])
    cfg.dataset.classes = {"a": hidden}
    with pytest.raises(ConfigError, match=r"dataset\.classes\.a: refused"):
        check(cfg)


def test_a_plan_is_not_called_as_an_experiment_that_would_be_run_instead() -> None:
    check(compose(["plan=mine"], config_name="prepare"), command="prepare")
    with pytest.raises(ConfigError, match="plan=lgg: "):
        check(compose(["plan=lgg"], config_name="prepare"), command="prepare")
