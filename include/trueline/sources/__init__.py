"""Sources: small adapters that turn a platform's or a file's rows into raw records."""
