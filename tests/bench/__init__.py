"""Measurements of the whole program against a floor, and of its peers; run by ``nox -s bench``."""
