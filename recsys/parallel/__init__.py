"""Devices: the mesh, what lives where, and the exchange of rows between them."""
