"""The server of exported releases: nothing is served yet."""
