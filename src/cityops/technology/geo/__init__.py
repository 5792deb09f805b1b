"""Coordinates, and the reference data a city's map is made of."""
