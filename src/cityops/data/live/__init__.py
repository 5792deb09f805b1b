"""The state of the city now, and what just changed."""
