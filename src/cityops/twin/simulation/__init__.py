"""Simulators that act as the city's devices, over the protocols real devices speak."""
