"""Classifiers: the head of one on the mapped codes of another."""
