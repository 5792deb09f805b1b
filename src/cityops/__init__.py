"""CityOps (城运): the operating centre of a city."""
