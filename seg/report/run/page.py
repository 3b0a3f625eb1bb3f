"""report.html: what the template run.html needs of a report."""

from typing import Any

from seg.comparison.configurations import as_text
from seg.report import pages
from seg.report.curves import training_charts
from seg.report.run import facts, sentences
from seg.report.run.cases import case_figures
from seg.report.run.report import Report
from seg.report.run.sentences import Headline
from seg.runs.results import Result

WORST, GROUPS, WARNINGS = 10, 60, 12
MAIN_FIGURES = (
    "dice", "iou", "dice_positive", "dice_group", "dice_pooled", "precision", "recall",
    "specificity", "hd95", "nsd",
)  # fmt: skip


def page(report: Report) -> str:
    """The whole page."""
    run = report.run
    names = list(dict.fromkeys(name for result in run.results for name in result.metrics))
    main = [name for name in MAIN_FIGURES if name in names] or names
    return pages.render(
        "run.html",
        report=report,
        run=run,
        status=sentences.status(run),
        verdict=sentences.verdict(run, report.headline),
        main_figures=main,
        more_figures=[name for name in names if name not in main],
        class_tables=[(r, _class_figures(r)) for r in run.results if len(r.classes) > 1],
        cases=_cases(report.headline),
        protocols=list(dict.fromkeys(n for result in run.results for n in result.protocols)),
        charts=training_charts(run),
        best_validation=sentences.best_validation(run),
        data=facts.data(run, report.audit),
        warnings=[str(w["text"]) for w in (report.audit or {}).get("warnings", [])],
        most_warnings=WARNINGS,
        choices=facts.choices(run),
        settings={key: as_text(value) for key, value in run.flat_config.items()},
        environment=facts.environment(run),
        commands=facts.commands(run.path),
    )


def _class_figures(result: Result) -> list[str]:
    return [n for n in MAIN_FIGURES if any(n in figures for figures in result.classes.values())]


def _cases(headline: Headline | None) -> dict[str, Any] | None:
    """How the headline's figure is spread over the cases; None without a table of them."""
    if headline is None or headline.result.table is None:
        return None
    figures = case_figures(headline.result.table, headline.metric)
    worst = figures.worst(WORST)
    if not worst:
        return None
    table = headline.result.table
    classes = [f"{name} " for name in table.classes] if len(table.classes) > 1 else [""]
    groups = figures.groups()
    return {
        "title": headline.result.title,
        "figures": figures,
        "histogram": figures.histogram(),
        "worst": worst,
        "areas": [f"{c}{what}" for c in classes for what in ("in the mask", "predicted")],
        "groups": groups[:GROUPS],
        "more_groups": len(groups) - GROUPS,
    }
