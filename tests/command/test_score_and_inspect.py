"""What `align score` and `align inspect` say of a map."""

import numpy as np
import pytest
from on_files import pairs, run, small_blocks

from align import solvers
from align.__main__ import main
from align.maps.description import describe


def test_score(folder, capsys, monkeypatch):
    source, _ = pairs(seed=1)
    np.save("x.npy", source + 1)
    np.save("y.npy", np.asarray(solvers.rigid(*pairs())(source + 1)) + np.float32([0.5, 0, 0, 0, 0, 0]))
    whole = run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--metric", "euclidean")
    spread = np.load("y.npy").astype(np.float64)
    expected = 0.5 * 200**0.5 / np.linalg.norm(spread - spread.mean(0))
    np.testing.assert_allclose(whole["relative_residual"], expected, rtol=1e-5)
    np.testing.assert_allclose(whole["r_squared"], 1 - expected**2, rtol=1e-5)
    assert whole["top_10"] > 0.9 > 0.3 > whole["unmapped"]["top_10"]
    assert whole["linear_cka"] == pytest.approx(1, abs=1e-4)
    small_blocks(monkeypatch)
    again = run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--metric", "euclidean")
    for one, other in ((again.pop("unmapped"), whole.pop("unmapped")), (again, whole)):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)
    sampled = run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--sample", "40")
    assert sampled["rows"] == 200 and sampled["sample"] == 40


def test_a_zero_row_is_not_found_among_few_either(folder, capsys):
    source, target = pairs(seed=1)
    target[0] = 0
    np.save("few_x.npy", source[:8])
    np.save("few_y.npy", target[:8])
    scores = run(capsys, "score", "map.safetensors", "few_x.npy", "few_y.npy")
    assert scores["top_10"] == scores["unmapped"]["top_10"] == 7 / 8
    assert scores["bad_rows"] == {"few_y.npy": {"zero": 1, "not_finite": 0, "duplicate": 0}}


def test_copies_that_lower_what_is_found_are_said(folder, capsys):
    for name, side in zip("xy", pairs(), strict=True):
        np.save(f"copied_{name}.npy", np.tile(side[:10], (3, 1)))
    argv = ["score", "map.safetensors", "copied_x.npy", "copied_y.npy"]
    scores = run(capsys, *argv)
    assert scores["top_1"] == 0 and scores["warnings"][0].startswith("20 of the 30 rows searched are copies")
    assert main([*argv, "--top", "5"]) == 2 and "--top 5 is of a search: it needs --corpus" in capsys.readouterr().err
    assert main([*argv[:2], "x.csv", "copied_y.npy"]) == 2 and "numpy.loadtxt" in capsys.readouterr().err


def test_score_between_unequal_dimensions(folder, capsys):
    np.save("narrow.npy", pairs()[1][:, :4])
    run(capsys, "fit", "x.npy", "narrow.npy", "-o", "narrow.safetensors")
    scores = run(capsys, "score", "narrow.safetensors", "x.npy", "narrow.npy")
    assert scores["top_1"] > 0.9 and list(scores["unmapped"]) == ["linear_cka"]


FAMILIES = {
    "identity": np.eye(3),
    "rotation": np.roll(np.eye(3), 1, 0),
    "reflection": np.diag([1, 1, -1]),
    "rotation, scaled": 2 * np.roll(np.eye(3), 1, 0),
    "scale per axis": np.diag([1, 2, 3]),
    "isometric embedding": np.eye(3)[:2],
    "orthogonal projection": np.eye(3)[:, :2],
    "linear": np.arange(9).reshape(3, 3) + np.eye(3),
    "linear of rank 1": np.ones((3, 3)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_inspect_names_the_family(folder, capsys, family):
    weight = np.float32(FAMILIES[family])
    solvers.AffineMap(weight, np.zeros(weight.shape[1], np.float32)).save("some.safetensors")
    described = run(capsys, "inspect", "some.safetensors")
    assert described["family"] == family
    has_one = weight.shape == (3, 3) and np.linalg.matrix_rank(weight) == 3
    assert described["determinant_sign"] == (np.sign(np.linalg.det(weight)) if has_one else None)
    solvers.AffineMap(weight, np.ones(weight.shape[1], np.float32)).save("some.safetensors")
    assert run(capsys, "inspect", "some.safetensors")["family"] == f"{family} and translation"


def test_inspect_of_a_constant_map(folder, capsys):
    solvers.AffineMap(np.zeros((3, 2), np.float32), np.ones(2, np.float32)).save("some.safetensors")
    described = run(capsys, "inspect", "some.safetensors")
    assert described["family"] == "constant" and described["weight_rank"] == 0 and described["uneven"] is None
    with pytest.raises(ValueError, match="the map has NaN or infinity"):
        describe(solvers.AffineMap(np.full((3, 2), np.nan), np.ones(2)))


def test_tables_for_people(folder, capsys):
    assert main(["inspect", "map.safetensors"]) == 0
    out, _ = capsys.readouterr()
    assert "rotation and translation" in out and max(map(len, out.splitlines())) <= 100
    assert main(["score", "map.safetensors", "x.npy", "y.npy"]) == 0
    assert "without a map" in capsys.readouterr()[0]


def test_tables_show_names_as_they_are_and_whole(folder, capsys):
    told = {"solver": "[bold]rigid[/bold] :smile:", "[red]": "[/]", "output": "/".join(["folder"] * 40)}
    solvers.rigid(*pairs()).save("named.safetensors", metadata=told)
    assert main(["inspect", "named.safetensors"]) == 0
    out, _ = capsys.readouterr()
    assert told["solver"] in out and "[red]" in out and "[/]" in out
    assert told["output"] in "".join(out.split()) and max(map(len, out.splitlines())) <= 100


def test_inspect_shows_what_others_kept_by_names_that_are_taken(folder, capsys):
    told = {"unmapped": "x", "warnings": "none", "family": "mine", "made": "today"}
    solvers.rigid(*pairs()).save("kept.safetensors", metadata=told)
    result = run(capsys, "inspect", "kept.safetensors")
    assert result["family"] == "rotation and translation" and result["made"] == "today"
    assert result["metadata"] == {name: told[name] for name in ("unmapped", "warnings", "family")}
    assert main(["inspect", "kept.safetensors"]) == 0
    out, err = capsys.readouterr()
    assert "mine" in out and "warning" not in err
