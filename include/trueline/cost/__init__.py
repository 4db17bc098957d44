"""What a run on BigQuery reads: columns and partitions per query, as a function of days."""
