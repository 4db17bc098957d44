"""The tables: what they are (table.yaml), how they depend on each other (parsed), how they run."""
