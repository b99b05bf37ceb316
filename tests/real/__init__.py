"""Tests that run the real OpenCode program, offline, against a scripted model on loopback."""
