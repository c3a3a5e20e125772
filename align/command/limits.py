"""Figures that a script asks for: NAME=VALUE, below which `align score` ends with an exit code of its own."""

# Figures of which less is worse, by name; those of a search are recall@K.
_MORE_IS_BETTER = ("r_squared", "mean_cosine", "top_1", "top_5", "top_10", "mean_reciprocal_rank", "linear_cka")


def check_names(limits: list[tuple[str, float]], top: int, searched: bool) -> None:
    """Raise ValueError, before any work, for a limit on a figure that will not be measured."""
    possible = ((f"recall@{top}",) if searched else ()) + _MORE_IS_BETTER
    for name, _ in limits:
        if name not in possible:
            hint = "" if searched else "; recall@K needs --corpus"
            raise ValueError(f"--fail-under {name}: expected one of {', '.join(possible)}{hint}")


def below(limits: list[tuple[str, float]], result: dict) -> list[str]:
    """Return in words which figures of a result are below their limits; one that is missing or undefined is."""
    found = []
    for name, least in limits:
        figure = result.get(name, float("nan"))
        if isinstance(figure, dict):  # of a search: the mean, by way
            figure = figure["mapped index"][0]
        if not figure >= least:
            found.append(f"{name} is {figure:.4g}, below {least:g}")
    return found
