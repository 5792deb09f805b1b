"""From raw messages to checked rows: decode, map, check, enrich."""
