"""What people see: HTTP assembly, change feed, map layers, panels, static UI."""
