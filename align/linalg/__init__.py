"""What solvers are made of: decompositions, moments, residuals, neighbours, clusters, transport."""
