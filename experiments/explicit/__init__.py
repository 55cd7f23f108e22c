"""Explicit spaces on public knowledge bases: protocols, measures, peers, runs and explanations."""
