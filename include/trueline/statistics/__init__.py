"""What the counts can and cannot tell: exact intervals, and what is still to come."""
