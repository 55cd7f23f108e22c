"""Benchmarks: how fast the library is, beside other systems and beside hand-written code."""
