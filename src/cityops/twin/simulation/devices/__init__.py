"""The city's devices: what each measures of the simulated world, and what it says of it."""
