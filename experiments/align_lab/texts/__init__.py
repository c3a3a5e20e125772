"""Texts and what encoders make of them: a corpus, the encoders by name, and vectors that are kept."""
