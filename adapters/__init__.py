"""Adapters: one module or folder for each store that finder understands."""
