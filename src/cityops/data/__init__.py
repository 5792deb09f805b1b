"""数据中台: from wire to table to question."""
