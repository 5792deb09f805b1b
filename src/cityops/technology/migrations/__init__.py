"""Steps that bring the tables of business records up to date; run by `database.upgrade`."""
