"""Whether the verdict of `unpaired` is right, on drawn shapes."""
