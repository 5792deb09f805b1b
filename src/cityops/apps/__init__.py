"""Applications: one package each, all of one shape, found by entry point."""
