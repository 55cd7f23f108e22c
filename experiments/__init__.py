"""Experiments: one file, one claim. Each leaves its numbers in `results/`; `tables` draws them."""
