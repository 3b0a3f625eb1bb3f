"""report.html: one run on one page, the verdict first, what limits it next."""

from collections.abc import Iterable
from importlib import resources

from seg.report.comparison.html import document, escaped, section
from seg.report.comparison.text import number
from seg.report.run import data, environment, pictures, repeat, settings, tables
from seg.report.run import text as words
from seg.report.run.caveats import Caveat
from seg.report.run.curves import curves
from seg.report.run.distribution import histogram, said, spread
from seg.report.run.reading import Report

INTERVALS = "95 % intervals: bootstrap, whole groups drawn."
APART = (
    "Each column is another measurement, of other images or at another resolution, and by its own "
    "rules: read down a column, never across. "
)
DEFINED = (
    "dice, iou and the like: mean over images; _positive: over images whose reference has "
    "foreground; _pooled: all pixels together; _group: mean over groups. Of several classes: the "
    "mean of the classes, without background."
)
FOREIGN = (
    "Figures by the definitions of others, each comparable with work that used that definition, "
    "and with nothing else: neither with each other nor with the table above."
)


def page(report: Report) -> str:
    """The whole page."""
    evidence = report.evidence
    results, found = evidence.results, report.headline
    parts = [
        section("What limits this", _caveats(report.caveats)),
        section("Figures", _figures(report), (APART if len(results) > 1 else "") + INTERVALS),
        section("Pictures", pictures.shown(report.panels, kind="panels")),
        section("Cases", _cases(report)),
        section("Others' protocols", tables.protocols(results), FOREIGN),
        section("Training", curves(evidence), _trained(report)),
        section("Probabilities", pictures.shown(report.diagnostics, kind="small")),
        section("Data", _data(report)),
        section("Configuration", settings.section(evidence)),
        section("Environment", tables.facts(environment.facts(evidence))),
        section("Commands", _commands(report)),
    ]
    style = resources.files("seg.report.run").joinpath("report.css").read_text("utf-8")
    title = evidence.name if found is None else f"{evidence.name}: {_short(report)}"
    return document(
        title,
        f"<header><h1>{escaped(evidence.name)}</h1>"
        f'<p class="about">{escaped(_about(report))}</p>{_banner(report)}'
        f'<p class="verdict">{escaped(words.verdict(evidence, found))}</p></header>\n'
        + "\n".join(filter(None, parts)),
        style=style,
    )


def _short(report: Report) -> str:
    found = report.headline
    return "" if found is None else f"{found.metric} {number(found.figure.value)}"


def _about(report: Report) -> str:
    evidence = report.evidence
    started = evidence.facts.get("started")
    return f"one run{f', started {started}' if started else ''}; {evidence.folder}"


def _banner(report: Report) -> str:
    status = report.evidence.status
    if status == "finished":
        return ""
    return (
        f'<p class="banner"><b>This run is not finished: {escaped(status)}.</b> What stands below '
        "is what it left.</p>"
    )


def _caveats(found: Iterable[Caveat]) -> str:
    items = []
    for caveat in found:
        mend = f'<span class="mend">Mend: {escaped(caveat.mend)}.</span>' if caveat.mend else ""
        items.append(
            f"<li{' class=grave' if caveat.grave else ''}><b>{escaped(caveat.kind)}</b>"
            f"{escaped(caveat.named)}{mend}</li>"
        )
    return f'<ul class="caveats">{"".join(items)}</ul>' if items else ""


def _figures(report: Report) -> str:
    results = report.evidence.results
    if not results:
        return ""
    by_class = "".join(map(tables.classes, results))
    return tables.about(results) + tables.figures(results) + by_class + _paragraph(DEFINED)


def _paragraph(text: str) -> str:
    return f"<p>{escaped(text)}</p>"


def _cases(report: Report) -> str:
    found = report.headline
    if found is None or found.result.table is None:
        return ""
    each = spread(found.result.table, found.metric)
    if not each.order:
        return ""
    groups = tables.groups(found.result, each)
    return (
        _paragraph(f"{tables.headed(found.result)}: {said(each)}")
        + histogram(each)
        + "<h3>The worst cases</h3>"
        + tables.worst(found.result, each)
        + (f"<h3>Groups</h3>{groups}" if groups else "")
    )


def _trained(report: Report) -> str:
    evidence = report.evidence
    if not evidence.epochs:
        return ""
    best = words.best_validation(evidence)
    size = evidence.get("dataset.image_size")
    return (
        f"At training size{f' ({size})' if size else ''}; dashed: the epoch whose weights were "
        f"kept{f'; {best}' if best else ''}."
    )


def _data(report: Report) -> str:
    evidence = report.evidence
    parts = [tables.facts(data.facts(evidence))]
    found = data.warnings(evidence)
    if evidence.audit is None:
        parts.append(_paragraph(
            "No audit of these files was found (python -m seg.prepare with the same dataset and "
            "output_dir makes one): sizes and near-duplicates are not told."
        ))  # fmt: skip
    elif found:
        items = "".join(f"<li>{escaped(line)}</li>" for line in found)
        parts.append(f"{_paragraph('The audit (seg.prepare) of the same files says:')}"
                     f"<ul>{items}</ul>")  # fmt: skip
    return "".join(parts)


def _commands(report: Report) -> str:
    evidence = report.evidence
    lines = [
        f"{_paragraph(what)}<pre>{escaped(line)}</pre>"
        for what, line in repeat.commands(evidence.folder).items()
    ]
    given = evidence.facts.get("command")
    if given:
        lines.insert(0, f"{_paragraph('it was started with')}<pre>{escaped(given)}</pre>")
    return "".join(lines)
