"""Rules and the alerts they or other systems raise."""
