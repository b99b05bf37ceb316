"""Tests; a package so that folders of it can share what they test with."""
