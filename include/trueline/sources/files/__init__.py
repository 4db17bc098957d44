"""Files: CSV, JSON lines and Parquet, read strictly under a mapping."""
