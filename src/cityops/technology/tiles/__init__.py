"""Vector tiles: made by tippecanoe, kept as one PMTiles file."""
