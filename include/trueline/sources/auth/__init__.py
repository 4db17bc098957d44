"""From a connection to the token of each call: given once, or renewed before it expires."""
