"""The plan of a city: generated from a seed, or read from a map."""
