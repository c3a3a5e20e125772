"""Many networks and one space: what a consensus gains over maps of pairs, and the networks as points."""
