"""Retrieval over whole catalogues: two towers, and the baselines they have to beat."""
