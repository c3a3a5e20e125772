"""Two clouds without correspondence: their coordinates and their classes."""
