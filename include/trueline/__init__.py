"""trueline: pixel conversions, real leads and qualified leads side by side, both gaps explained."""

__version__ = "0.1.0"
