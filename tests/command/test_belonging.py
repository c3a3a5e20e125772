"""A map says where it belongs, and refuses rows of elsewhere: definitions of WordNet by two encoders."""

import functools
import json

import numpy as np
import pytest
from on_files import run

from align.__main__ import main
from align.data import texts
from align.maps import AffineMap, fingerprint

D = 24


@functools.cache
def sample(d=D):
    """Both encoders' leading coordinates, `[7000, d]` each, turned by a rotation of its own and about a mean."""
    random = np.random.default_rng(0)
    turns = (np.linalg.qr(random.normal(size=(d, d)))[0] for _ in range(2))
    turned = [
        rows[:, :d] @ turn + random.normal(size=d) / 20
        for rows, turn in zip(texts.encoder_sample(), turns, strict=True)
    ]
    return [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in turned]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, target = (rows.astype(np.float32) for rows in sample())
    for name, rows in (("source", source), ("target", target)):
        np.save(f"{name}.npy", rows[:600])
        np.save(f"more_{name}.npy", rows[3000:3020])
    np.save("raw.npy", 7 * source[3000:3020])
    np.save("one_raw.npy", 7 * source[3000:3001])
    np.save("shifted.npy", source[3000:3400] + np.float32(0.12))
    return tmp_path


NAMES = ("--source-name", "mini", "--target-name", "mp", "--source-prefix", "query: ")


@pytest.fixture
def fitted(folder, capsys):
    run(capsys, "fit", "source.npy", "target.npy", "-o", "map.safetensors", "--solver", "rigid", *NAMES)
    return folder


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("more_target.npy",), "of the space that the map leads to: it was meant the other way round"),
        (("more_source.npy", "--inverse"), "map's target space: they are of the space that the map comes from"),
        (("more_source.npy", "--queries"), "map's target space: they are of the space that the map comes from"),
        (("raw.npy",), "their lengths are about 7, where the map was fitted on rows of length 1; --normalize makes"),
        (("one_raw.npy",), "their lengths are about 7"),
        (("raw.npy", "--norms"), "--norms serve a file that holds such rows, any other needs --documents --normalize"),
        (("raw.npy", "--norms", "--normalize"), "rows, any other needs --documents --normalize"),
        (("more_source.npy", "--input-name", "mp"), "their encoder is 'mp', and the map's 'mini'"),
        (("more_source.npy", "--input-prefix", ""), "their prefix is '', and the map's 'query: '"),
    ],
)
def test_rows_of_elsewhere_are_refused(fitted, capsys, argv, words):
    before = sorted(fitted.iterdir())
    assert main(["apply", "map.safetensors", *argv, "-o", "z.npy", "--overwrite", "--quiet"]) == 2
    err = capsys.readouterr().err
    assert words in err and "(--force applies the map all the same)" in err and err.count("\n") == 1
    assert sorted(fitted.iterdir()) == before
    assert any(
        words[-20:] in text
        for text in run(capsys, "apply", "map.safetensors", *argv, "-o", "z.npy", "--force")["warnings"]
    )


@pytest.mark.parametrize(
    "argv",
    [
        ("more_source.npy",),
        ("more_source.npy", "--input-name", "mini", "--input-prefix", "query: "),
        ("more_target.npy", "--inverse", "--input-prefix", "passage: "),  # of which the map says nothing
        ("more_target.npy", "--queries"),
        ("more_source.npy", "--norms"),
        ("raw.npy", "--normalize"),
        ("raw.npy", "--normalize", "--documents"),
    ],
)
def test_rows_of_the_space_are_not(fitted, capsys, argv):
    result = run(capsys, "apply", "map.safetensors", *argv, "-o", "z.npy")
    assert "warnings" not in result and result["rows"] == 20


def test_norms_are_those_of_the_rows_as_they_lie(fitted, capsys):
    run(capsys, "apply", "map.safetensors", "raw.npy", "-o", "norms.npy", "--norms", "--normalize", "--force")
    run(capsys, "apply", "map.safetensors", "more_target.npy", "-o", "q.npy", "--queries")
    norms, q, of_map = np.load("norms.npy")[:, 0], np.load("q.npy"), AffineMap.load("map.safetensors")
    scores = (q[:, :-1] @ np.load("raw.npy").T + q[:, -1:]) / norms
    mapped = np.asarray(of_map(np.load("raw.npy")))
    expected = np.load("more_target.npy") @ (mapped / np.linalg.norm(mapped, axis=1, keepdims=True)).T
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("more_target.npy", "more_source.npy"), "more_target.npy does not hold codes of the map's source space"),
        (("more_source.npy", "more_source.npy"), "map's target space: they are of the space that the map comes from"),
        (("raw.npy", "more_target.npy"), "rows of length 1; --normalize makes them so"),
        (("more_source.npy", "more_target.npy", "--target-name", "mini"), "encoder is 'mini', and the map's 'mp'"),
        (("more_source.npy", "more_target.npy", "--source-prefix", ""), "their prefix is '', and the map's 'query: '"),
        (("more_source.npy", "more_target.npy", "--corpus", "target.npy", "source.npy"), "target.npy does not hold"),
    ],
)
def test_scores_of_rows_of_elsewhere_are_refused(fitted, capsys, argv, words):
    assert main(["score", "map.safetensors", *argv, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert words in err and "(--force scores the map all the same)" in err and err.count("\n") == 1
    warnings = run(capsys, "score", "map.safetensors", *argv, "--force")["warnings"]
    assert any("does not hold codes of the map's" in text for text in warnings)


def test_a_score_says_that_the_mean_is_shifted(fitted, capsys):
    np.save("beside.npy", sample()[1][3000:3400].astype(np.float32))
    (warning,) = run(capsys, "score", "map.safetensors", "shifted.npy", "beside.npy", "--normalize")["warnings"]
    assert "shifted.npy" in warning and "another prefix" in warning


def test_a_later_block_counts_as_well(fitted, capsys, monkeypatch):
    monkeypatch.setattr("align.command.blocks.BLOCK_BYTES", 100 * D * 4)
    np.save("mixed.npy", np.concatenate([np.load("source.npy")[:300], np.load("target.npy")[:100]]))
    assert main(["apply", "map.safetensors", "mixed.npy", "-o", "z.npy", "--quiet"]) == 2
    assert "the other way round" in capsys.readouterr().err and not (fitted / "z.npy").exists()


def test_a_shifted_mean_is_a_warning(fitted, capsys):
    result = run(capsys, "apply", "map.safetensors", "shifted.npy", "-o", "z.npy", "--normalize")
    assert "their mean is off by" in result["warnings"][0] and "another prefix" in result["warnings"][0]


@pytest.mark.parametrize("memory", ["0", "1"])
def test_the_file_says_where_its_map_belongs(folder, capsys, memory):
    argv = ("fit", "source.npy", "target.npy", "-o", "map.safetensors", "--memory", memory, "--solver", "rigid")
    run(capsys, *argv, *NAMES)
    told = run(capsys, "inspect", "map.safetensors")
    assert told["source_space"].items() >= {"name": "mini", "prefix": "query: ", "rows": 600, "unit": True}.items()
    assert told["target_space"]["name"] == "mp" and "prefix" not in told["target_space"]


def test_maps_of_before_are_read(fitted, capsys):
    source = np.load("source.npy").astype(np.float64)
    before = {"rows": 600, "mean": source.mean(0).tolist(), "spread": float(source.var(0).sum() ** 0.5)}
    AffineMap.identity(D).save("old.safetensors", metadata={"source_space": json.dumps(before)})
    assert "warnings" not in run(capsys, "apply", "old.safetensors", "more_source.npy", "-o", "z.npy")
    assert main(["apply", "old.safetensors", "raw.npy", "-o", "y.npy"]) == 2
    assert "times as far from the mean" in capsys.readouterr().err
    assert run(capsys, "inspect", "old.safetensors")["source_space"]["rows"] == 600


@pytest.mark.parametrize(
    "said",
    [
        "minilm",
        '{"name": "minilm"}',
        "[1]",
        *(
            json.dumps({"rows": 600, "mean": [0.0] * D, "spread": 1.0} | wrong)
            for wrong in ({"rows": None}, {"spread": "x"}, {"mean": [1, 2, 3]}, {"mean": None}, {"values": [1.0]})
        ),
    ],
)
def test_what_another_has_written_there_is_refused(fitted, capsys, said):
    AffineMap.identity(D).save("other.safetensors", metadata={"source_space": said})
    for argv in (["inspect", "other.safetensors"], ["apply", "other.safetensors", "more_source.npy", "-o", "z.npy"]):
        assert main(argv) == 2
        assert "other.safetensors: its source_space is nothing that" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [1, 1e18])
@pytest.mark.parametrize("mean", [0, 12.3456, 1234.56])
def test_rows_about_a_large_mean_are_their_own(tmp_path, monkeypatch, capsys, mean, scale):
    monkeypatch.chdir(tmp_path)
    rows = mean + 0.01 * np.random.default_rng(0).normal(size=(500, 8))
    np.save("rows.npy", (scale * rows).astype(np.float32))
    run(capsys, "fit", "rows.npy", "rows.npy", "-o", "map.safetensors")
    assert "warnings" not in run(capsys, "apply", "map.safetensors", "rows.npy", "-o", "z.npy")


@pytest.mark.parametrize("rows", [10, 30, 150, 4000])
def test_a_space_is_kept_as_text(rows):
    space = fingerprint.take(sample()[0][:rows])
    kept = fingerprint.from_text(fingerprint.as_text(space))
    assert kept.rows == rows and kept.unit and (kept.own is None) == (rows < 40)
    for name in ("mean", "directions", "values"):
        if getattr(space, name) is not None:
            np.testing.assert_allclose(getattr(kept, name), getattr(space, name), atol=1e-3)


def test_rows_of_zero_and_a_few_far_out_change_nothing_of_a_space():
    random = np.random.default_rng(0)
    for few in (100, 2000):
        rows = random.normal(size=(few, 16)).astype(np.float32) + 4
        spoilt = rows.copy()
        spoilt[7], spoilt[20:30] = 100 * spoilt[7], 0
        space = fingerprint.take(spoilt)
        assert space.spread == pytest.approx(4, rel=0.1)
        assert np.linalg.norm(space.mean - rows.mean(0)) < 0.5
        for new in (random.normal(size=(200, 16)) + 4, spoilt, spoilt[:40]):
            assert fingerprint.foreign(space, new) is None
    # Unit rows about a mean that is long beside their spread, a tenth of them zero: the very file that was fitted.
    near = random.normal(size=(1000, 64)) * 0.1 + 8
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    near[::10] = 0
    assert fingerprint.foreign(fingerprint.take(near), near) is None and fingerprint.take(near).unit


def test_few_rows_are_judged_by_what_cannot_be_mistaken():
    source, target = sample(160)
    few, many = fingerprint.take(source[:60]), fingerprint.take(source[:4000])
    strangers = target[3000:3100]
    assert fingerprint.foreign(few, strangers) is None  # 60 rows do not say enough of a space
    assert "other directions" in fingerprint.foreign(many, strangers)
    assert fingerprint.foreign(many, strangers[:19]) is None
    for seed in range(100):  # two or three rows do not say how far others lie
        random = np.random.default_rng(seed)
        of_few = fingerprint.take(random.normal(size=(2 + seed % 2, 2)))
        assert fingerprint.foreign(of_few, random.normal(size=(1000, 2))) is None
    assert fingerprint.foreign(many, np.zeros((30, 160))) is None


def test_rows_of_zero_have_no_length_to_judge():
    rows = sample()[0][:300].copy()
    rows[[3, 7]] = 0
    space = fingerprint.take(rows)
    assert space.unit and "their lengths are about 7" in fingerprint.foreign(space, 7 * rows)
    assert not fingerprint.take(np.zeros((30, 3))).unit


def test_codes_without_a_shape_of_their_own_are_not_judged_by_it():
    random = np.random.default_rng(0)
    round_codes = random.normal(size=(500, 6))
    space = fingerprint.take(round_codes)
    assert space.gap < 0.1
    assert fingerprint.foreign(space, random.normal(size=(500, 6)) * [1, 1, 1, 1, 1, 1.5]) is None
    assert fingerprint.take(np.ones((50, 3))).own is None
