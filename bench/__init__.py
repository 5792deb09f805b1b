"""Benchmarks: each prints figures beside a peer or baseline measured in the same run; run by `cityops bench NAME`."""
