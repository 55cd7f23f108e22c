"""Served forms of tables whose trained form is not yet the smallest."""
