"""Experiments on MovieLens."""
