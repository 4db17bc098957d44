"""A mapping for a file that nobody has described yet, with every doubt told."""
