"""Mutated copies of the fixtures, read by everything that reads. Run by ``nox -s fuzz``."""
