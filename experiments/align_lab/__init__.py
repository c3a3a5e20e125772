"""The machinery of the experiments: what is planned, trained, aligned, measured, kept, and drawn."""
