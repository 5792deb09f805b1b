"""The warehouse: ClickHouse's engine, in this process or elsewhere, behind one protocol."""
