"""Measurements of Tidegate that anyone can repeat: `make bench`."""
