"""The interactive picker: what it holds and shows, who works for it, and its screen."""
