"""What makes spaces rigidly related: what is planned, and what is measured of maps whose truth is known."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from running import EXPERIMENTS

from align import networks
from align import rows as results
from align_lab import launch, recipes
from align_lab.rigidity import factors, forced_plot, relations, rigid_gaps, rigidity_page
from align_lab.rigidity.variant_plans import Relations, Varied
from align_lab.rigidity.variants import VARIANTS, Architecture
from align_lab.store import Store
from align_lab.trainings import Network

# What the factors of the page are called in the generated one, beyond the first, a variant itself.
FACTORS = {
    "a constant rate of 1e-3 and b2 0.999 in place of our cycle and 0.99 (`constant`)": "ours → constant",
    "the same after 14 epochs": "ours → constant",
    "one cycle in place of a constant rate, `narrow`": "narrow → narrow+onecycle",
    "a rate of 3e-3 in place of 1e-3": "narrow → narrow+rate3e-3",
    "batches of 256 in place of 64": "narrow → narrow+batch256",
    "PyTorch's initial parameters in place of Flax's": "narrow → narrow+pytorch",
    "orthogonal initial kernels": "narrow → narrow+orthogonal",
    "a dense ReLU layer of 64 before and after the latent": "narrow → dense64",
    "that layer in the encoder alone": "narrow → encoder64",
    "that layer in the decoder alone": "narrow → decoder64",
    "that layer on both sides with orthogonal kernels": "dense64 → dense64+orthogonal",
    "a dense ReLU layer of 1,024 on both sides": "narrow → dense1024",
    "a third convolution": "narrow → deep",
    "fully connected": "narrow → mlp",
    "a ReLU on the latents": "narrow → ReLU",
}


def wanted(**changes):
    known = {"dataset": "mnist_sample", "model": "conv", "settings": ((50, 100),), "methods": (), "seeds": (0, 1, 2)}
    known |= {"overrides": recipes.Overrides({"epochs": 1}), "variants": ("ours", "constant", "dense64+pytorch")}
    return factors.Factors(**{**known, **changes})


def test_every_variant_is_trained_and_then_compared(tmp_path):
    store = Store(tmp_path / "workdir")
    plan = factors.plan(wanted(), store)
    assert [type(one) for one in plan] == [Varied, Relations] * 3
    trained = plan[4]
    assert (trained.settings.initial, trained.settings.schedule, trained.settings.epochs) == ("uniform", "constant", 1)
    assert str(trained.architecture) == "conv 16-32, dense 64, latent, dense 64, conv 32-16"
    listed = [row for one in plan if isinstance(one, Relations) for row in relations.rows(one)]
    assert len({results.identity(row) for row in listed}) == len(listed) == 3 * (3 + 2 * 6 * 6)
    assert all(launch.worker(one).cost(one, store) > 0 for one in plan)
    twice = factors.plan(wanted(settings=((50, 50), (50, 100))), store)
    assert [type(one) for one in twice] == [Varied, Relations] * 3 + [Relations] * 3


def test_a_variant_changes_one_thing_of_another():
    for name, variant in VARIANTS.items():
        if variant.of:
            other = VARIANTS[variant.of]
            architecture = variant.architecture != other.architecture
            assert architecture != (variant.training != other.training), name
            assert variant.factor
    assert set(factors.USUAL) <= VARIANTS.keys()
    assert all("," not in name for name in VARIANTS)  # --variants is a list


def test_an_architecture_names_its_kernels_where_they_are_not_the_usual_ones():
    assert str(Architecture()) == "conv 32-32, latent, conv 32-32"
    assert str(Architecture(channels=(16, 32), sizes=(3, 3))) == "conv 16-32, latent, conv 32-16"
    assert str(Architecture(sizes=(3, 3))).startswith("conv 32-32 of 3 x 3, 3 x 3, latent")
    named = {}
    for variant in VARIANTS.values():
        named.setdefault(str(variant.architecture), set()).add(variant.architecture)
    assert max(map(len, named.values())) == 1


def test_ours_are_the_networks_of_the_tables(tmp_path):
    from align import models

    ours = VARIANTS["ours"].architecture.build(50, "mnist", (28, 28, 1))
    assert repr(ours) == repr(models.autoencoder("conv", 50, "mnist"))
    colour = Architecture(channels=(), sizes=(), encoder=(8,), decoder=(8,), rectified=True).build(
        4, "cifar10", (32, 32, 3)
    )
    images = jnp.ones((2, 32, 32, 3))
    params = colour.init(networks.named_key(0, "test"), images)
    codes = models.encode(colour, params, images)
    assert codes.min() == 0 and models.decode(colour, params, codes).shape == images.shape


def ends(turn):
    random = np.random.default_rng(0)
    codes = random.normal(size=(300, 4)).astype(np.float32) * np.arange(1, 5, dtype=np.float32)
    other = (codes @ turn + 1).astype(np.float32)
    made = zip((0, 1), (codes, other), strict=True)
    return [Network("ours", seed, None, None, jnp.asarray(own[:200]), jnp.asarray(own[200:])) for seed, own in made]


TURN = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]


@pytest.mark.parametrize(
    ("method", "turn", "residual"),
    [
        ("rigid", TURN, 0),
        ("similarity", 3 * TURN, 0),
        ("affine", TURN @ np.diag([1, 2, 3, 4]), 0),
        ("rigid", 3 * TURN, 2 / 3),
    ],
)
def test_a_family_finds_its_own_relation(method, turn, residual, monkeypatch):
    monkeypatch.setattr(relations.models, "decoder_of", lambda model, params: (model, params))
    monkeypatch.setattr(relations.evaluation, "reconstruction_error", lambda model, params, codes, images: codes.mean())
    told = relations.measured(method, *ends(turn), slice(None), None)
    assert told["residual"] == pytest.approx(residual, abs=0.02)
    if method == "affine":
        np.testing.assert_allclose(told["singular_values"], [4, 3, 2, 1], rtol=1e-3)


def test_the_shape_of_codes():
    codes = np.random.default_rng(0).normal(size=(20_000, 3)) * [2, 2, 0.001] + [3, 4, 0]
    told = relations.shape(codes)
    np.testing.assert_allclose(told["deviations"], [2, 2, 0.001], rtol=0.02)
    assert told["offset"] == pytest.approx(5 / np.sqrt(8), rel=0.02)


def test_what_other_deviations_force_on_a_rigid_map():
    spaces = np.array([[3.0, 4.0], [6.0, 8.0]])
    assert forced_plot.forced(*spaces) == pytest.approx(0.5) and forced_plot.forced(*spaces[::-1]) == pytest.approx(1)
    assert forced_plot.forced(*spaces, scaled=True) == pytest.approx(0, abs=1e-12)
    # A turn leaves no more than that.
    told = [relations.shape(np.asarray(one.test, np.float64)) for one in ends(2 * TURN)]
    rows = [{"method": "autoencoder", "anchors": None, "source_seed": seed, **one} for seed, one in enumerate(told)]
    assert forced_plot.of_pairs(rows) == pytest.approx({(0, 1): 0.5, (1, 0): 1}, rel=1e-3)
    rigid = {"method": "rigid", "anchors": None}
    rows += [{**rigid, "source_seed": s, "target_seed": 1 - s, "residual": 0.6 + 0.3 * s} for s in (0, 1)]
    assert forced_plot.explained({"ours": rows}) == pytest.approx(1)


def test_an_interval_over_networks():
    pairs = {(s, t): 0.1 for s in range(3) for t in range(3) if s != t}
    same = rigid_gaps.estimate(pairs)
    assert same.mean == pytest.approx(0.1) and same.error == pytest.approx(0) and same.freedom == 2
    # One network is to blame for all: without it nothing is left.
    one = rigid_gaps.estimate({pair: float(0 in pair) for pair in pairs})
    assert one.mean == pytest.approx(2 / 3) and one.error == pytest.approx(2 / 3) and not one.shown
    changed = rigid_gaps.change(one, same)
    assert changed.mean == pytest.approx(2 / 3 - 0.1) and changed.freedom == pytest.approx(2)
    assert rigid_gaps.estimate({(0, 1): 0.1, (1, 0): 0.1}) is None
    assert rigid_gaps.text(rigid_gaps.Estimate(0.01, 0.001, 2)) == "**+10.0** (+5.7 to +14.3)"


def test_tables_and_picture(tmp_path):
    listed = [
        row
        for one in factors.plan(wanted(), Store(tmp_path / "workdir"))
        if isinstance(one, Relations)
        for row in relations.rows(one)
    ]
    errors = {"autoencoder": 0.4, "linear": 0.42, "affine": 0.42, "similarity": 0.43, "rigid": 0.44, "rotation": 0.45}
    made = []
    for row in listed:
        measures = {"test_error": errors.get(row["method"], 0.46), "singular_values": [2.0, 1.0, 0.5]}
        measures["residual"] = 0.25 + 0.01 * row["source_seed"]
        if row["variant"] == "constant" and row["method"] == "rigid":
            measures["test_error"] += 0.01
        own = (
            {"deviations": [3.0 + row["source_seed"], 2.0, 0.01], "offset": 1.0}
            if row["method"] == "autoencoder"
            else {}
        )
        made.append({**row, **measures, **own})
    page = rigidity_page.write(made, tmp_path).read_text()
    assert "| constant | 0.4000 | 0.4500 | 0.4300 | 0.4200 | **+30.0** (+30.0 to +30.0) | 6 of 6 |" in page
    assert "| ours → constant | a constant rate of 1e-3, b2 0.999 | **+10.0** (+10.0 to +10.0) |" in page
    assert "+10.0** (+10.0 to +10.0) | +0.0 (+0.0 to +0.0) | +0.0 (+0.0 to +0.0) | +0.0 |" in page  # no shear
    assert (tmp_path / "pictures" / "rigidity_mnist_sample_latent50_epochs1.png").stat().st_size > 10_000

    # Another number of anchors has a part of its own; a variant is told by the networks between which all maps are
    # there.
    more = [{**row, "anchors": 20} for row in made if row["anchors"] and row["variant"] != "constant"]
    cut = [row for row in made if (row["variant"], row["method"], row["source_seed"]) != ("ours", "rigid", 2)]
    page = rigidity_page.write([*cut, *more], tmp_path).read_text()
    assert "1 epochs, 20 pairs" in page and "1 epochs, 100 pairs" in page
    ours = "| ours | 0.4000 | 0.4400 | 0.4300 | 0.4200 |  | 2 of 2 |"
    assert "| constant | 0.4000" in page and ours in page
    # A variant keeps what is whole of it where a run with more networks was interrupted.
    fourth = [{**row, "source_seed": 3, "target_seed": 3} for row in made if row["method"] == "autoencoder"]
    page = rigidity_page.write([*made, *fourth], tmp_path).read_text()
    assert "| constant | 0.4000 | 0.4500 | 0.4300 | 0.4200 | **+30.0** (+30.0 to +30.0) | 6 of 6 |" in page
    # Rows of another training than the variants' own do not take the place of these, nor are they taken with them.
    other = [{**row, "settings": {**row["settings"], "batch": 32}} for row in made]
    other = [{**row, "test_error": row["test_error"] + 0.1} for row in other]
    page = rigidity_page.write([*made, *other], tmp_path).read_text()
    assert "| constant | 0.4000 | 0.4500 | 0.4300 | 0.4200 |" in page.partition("1 epochs, batch 32")[0]
    assert "| constant | 0.5000 | 0.5500 | 0.5300 | 0.5200 |" in page.partition("1 epochs, batch 32")[2]
    assert (tmp_path / "pictures" / "rigidity_mnist_sample_latent50_epochs1_batch_32.png").exists()


def table(text, heading):
    """Give the rows of the first table below a heading, each by its columns, an interval bold where its mean is."""
    listed = re.search(rf"^#+ {heading}\n.*?((?:^\|[^\n]*\n)+)", text, re.DOTALL | re.MULTILINE)[1]
    plain = re.sub(r"\*\*([^ *]+)\*\* (\([^)]*\))", r"**\1 \2**", listed.replace("−", "-"))
    header, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in plain.splitlines()]
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_the_page_says_of_every_factor_what_the_generated_one_does():
    root = EXPERIMENTS.parent
    generated = (root / "experiments" / "results" / "tables" / "rigidity.md").read_text()
    epochs = {f"{count} epochs": generated.partition(f", {count} epochs\n")[2] for count in (4, 14)}
    first, *others = table((root / "docs" / "rigidity.md").read_text(), "What each factor changes")
    assert [row["factor"] for row in others] == [*FACTORS]
    for row in others:
        group = epochs["14 epochs" if "14 epochs" in row["factor"] else "4 epochs"]
        changes = {line["variants"]: line for line in table(group, "What a factor changes of the gap")}
        change = changes[FACTORS[row["factor"]]]
        columns = ("gap, 100 pairs", "shear, 100 pairs", "shear, all pairs")
        assert row == {"factor": row["factor"]} | {column: change[column] for column in columns}
    assert "`narrow`" in first["factor"]
    (gap,) = (line for line in table(epochs["4 epochs"], "From 100 pairs") if line["variant"] == "narrow")
    parts = [line for line in table(epochs["4 epochs"], "What the gap is made of") if line["variant"] == "narrow"]
    shear = {f"shear, {line['pairs']} pairs": line["no shear"] for line in parts}
    assert first == {"factor": first["factor"], "gap, 100 pairs": gap["gap, 10⁻³"], **shear}


def test_a_run_and_again(experiment):
    tiny = ("--dataset=mnist_sample", "--variants=mlp", "--latent=3", "--anchors=20", "--epochs=1")
    assert experiment("rigidity", *tiny, "--seeds=3").code == 0
    rows = experiment.rows("rigidity")
    assert len(rows) == 3 + 2 * 6 * 6 and all(row["settings"]["epochs"] == 1 for row in rows)
    again = experiment("rigidity", *tiny, "--seeds=3")
    assert again.code == 0 and experiment.rows("rigidity") == rows and "0 of 2 tasks to do" in again.out


def test_anchors_alone_are_at_the_latent_that_is_usual(experiment):
    planned = experiment("rigidity", "--dataset=mnist_sample", "--variants=mlp", "--anchors=50,100", "--dry_run")
    assert planned.code == 0 and "latent 50 (50, 100 anchors)" in " ".join(planned.out.split()), planned.err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--variants=tree", "--variants has no 'tree'; there are ours, constant"),
        ("--variants=", "--variants must have one value or more; it is empty"),
        ("--seeds=1", "--seeds=1"),
    ],
)
def test_flags_that_make_no_sense_are_named(experiment, flag, message):
    ended = experiment("rigidity", "--dataset=mnist_sample", "--dry_run", flag)
    assert ended.code != 0
    assert re.search(message, " ".join(ended.err.split()))
