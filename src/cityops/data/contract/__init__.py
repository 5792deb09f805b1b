"""Data contracts: one ODCS file declares a data set, everything else is derived."""
