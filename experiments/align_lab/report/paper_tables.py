"""The paper's tables with ours in every cell, the variants of decoder_only, and the headline of the README."""

from align import markdown, paper
from align_lab.report.published import DATASETS, TITLES, Rows, describe, of_its_data


def table(number: int, rows: list[dict], notes: dict[str, str]) -> str:
    """Lay a table out as the paper does: a line per latent, anchors and direction, a column per method."""
    ours = paper.summarise(of_its_data(number, rows))
    theirs = {key: cell for key, cell in paper.CELLS.items() if key.table == number}
    keys = [key for key in dict.fromkeys([*theirs, *ours]) if not key.method.startswith("decoder_only_")]
    columns = list(dict.fromkeys((key.method, key.own) for key in keys))
    whole = number in (1, 4)  # without anchors
    settings = {(key.latent, None) if whole else (key.latent, key.anchors) for key in keys if key.anchors or whole}
    lines = []
    for source, target in dict.fromkeys((key.source_model, key.target_model) for key in keys):
        for latent, anchors in sorted(settings, key=lambda setting: (setting[0], setting[1] or 0)):
            line = []
            for method, own in columns:
                known = None if method == "autoencoder" else anchors
                line.append(paper.Key(number, DATASETS[number], method, source, target, latent, known, own))
            texts = [_cell(ours.get(key), theirs.get(key)) for key in line]
            if any(texts):
                lines.append([str(latent), str(anchors or ""), line[0].direction, *texts])
    names = [key.title for key in {(key.method, key.own): key for key in keys}.values()]
    laid_out = markdown.table(["latent", "anchors", "networks", *names], lines)
    head = f"## Table {number}: {TITLES[number]}\n"
    return "\n".join([head, laid_out, "", *_verdict(ours, theirs), "", notes.get(f"table {number}", "")])


def _verdict(ours, theirs):
    """Count the cells that are as good as the paper's, and name the others."""
    over = [
        f"{describe(key)} ({ours[key].mean:.4f}, paper {cell.mean:.3f})"
        for key, cell in theirs.items()
        if key in ours and ours[key].mean > cell.mean + 5e-5
    ]
    both = len(theirs.keys() & ours.keys())
    counted = f"Of the paper's {len(theirs)} cells ours has {both}; {both - len(over)} are at or below the paper's."
    return [counted, f"Above it: {'; '.join(over)}."] if over else [counted]


def _cell(ours, theirs):
    lines = [f"**{ours.mean:.4f}** ± {ours.std * 1e3:.1f}"] if ours else []
    lines += [f"{theirs.mean:.3f} ± {theirs.std:g}"] if theirs else []
    lines += [f"× {ours.mean / theirs.mean:.3f}"] if ours and theirs else []
    return "<br>".join(lines)


def ablation(rows: list[dict], notes: dict[str, str]) -> str:
    """Lay out the variants of decoder_only between architectures, one cause of its failure taken away at a time."""
    ours = paper.summarise(row for row in of_its_data(5, rows) if row["method"].startswith("decoder_only"))
    variants = list(dict.fromkeys(key.method for key in ours))
    if len(variants) < 2:
        return ""
    cells = list(
        dict.fromkeys(
            (key.latent, key.anchors, key.source_model, key.target_model)
            for key in ours
            if key.method != "decoder_only"
        )
    )

    def key_of(variant, latent, count, source, target):
        return paper.Key(5, DATASETS[5], variant, source, target, latent, count, source == target)

    header = ["variant", *(f"{s} → {t} ({latent}, {count})" for latent, count, s, t in cells)]
    lines = ([variant, *(_cell(ours.get(key_of(variant, *one)), None) for one in cells)] for variant in variants)
    title = "## Why decoder-only fails between architectures"
    return "\n".join([title, "", notes.get("ablation", ""), markdown.table(header, lines), ""])


def headline(rows: Rows) -> str:
    """Lay out what the README shows: transfer by the closed forms and their rivals, ours beside the paper's."""
    ours = {key: one for found in rows.values() for key, one in paper.summarise(found).items()}
    columns = ("autoencoder", "rigid", "linear", "stitching_k2", "end2end")
    settings = [(3, 2, "conv", "conv", *one) for one in ((10, 100), (30, 100), (50, 100), (100, 200))]
    for source, target in (("conv", "mlp"), ("mlp", "conv")):
        settings += [(5, 6, source, target, *one) for one in paper.ARCHITECTURE_SETTINGS]
    lines = []
    for direct, relative, source, target, latent, anchors in settings:
        dataset, texts = DATASETS[direct], []
        for method in columns:
            own = method == "autoencoder"
            number, first = relative if method == "end2end" else direct, target if own else source
            key = paper.Key(number, dataset, method, first, target, latent, None if own else anchors, own)
            theirs = paper.CELLS.get(key)
            texts.append(f"**{ours[key].mean:.3f}** ({theirs.mean:.3f})" if key in ours and theirs else "")
        if any(texts):  # the last key is that of a transfer
            lines.append([dataset, key.direction, str(latent), str(anchors), *texts])
    return markdown.table(["data", "networks", "latent", "anchors", *columns], lines)
