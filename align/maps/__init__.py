"""The fitted transformation, its file, and the diagnosis of a fit."""

from align.maps.affine_map import AffineMap

__all__ = ["AffineMap"]
