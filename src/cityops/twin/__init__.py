"""The demo city: a generated plan and simulators that act as its devices."""
