"""HubSpot: contacts, their stage history, merges and deletions, and deals."""
