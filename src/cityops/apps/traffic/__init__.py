"""智能交通: live road state and indices."""
