"""Units: who and what can be sent, and where they are."""
