"""Package metadata; the dependencies are read from requirements.txt."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements() -> list[str]:
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


setup(
    name="align-latents",
    version="0.1.0",
    description="Closed-form alignment of the latent spaces of trained networks, in JAX",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["align", "align.*"]),
    package_data={"align.data": ["sample/*"]},
    install_requires=requirements(),
    extras_require={
        "cuda12": ["jax[cuda12]"],
        "test": ["pytest>=8", "pytest-xdist>=3.6", "scipy>=1.13", "ruff>=0.9"],
        "notebooks": ["jupyterlab>=4"],
    },
    entry_points={"console_scripts": ["align = align.__main__:main"]},
)
