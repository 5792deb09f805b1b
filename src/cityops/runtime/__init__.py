"""Processes: supervisor, the embedded engines, the roles."""
