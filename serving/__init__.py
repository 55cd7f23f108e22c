"""The server of exported releases: it reads a release and its index, and nothing that trains."""
