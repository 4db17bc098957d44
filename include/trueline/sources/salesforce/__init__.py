"""Salesforce: leads, the history of their status, merges and deletions, and opportunities."""
