"""The report on the whole paper: every cell beside the paper's, its claims, pictures and times."""
