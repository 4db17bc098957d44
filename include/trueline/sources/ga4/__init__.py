"""Google Analytics 4: its BigQuery export, read in place or from files, as a cross-check."""
