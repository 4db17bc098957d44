"""Gates between the layers: Great Expectations suites, run in SQL where the data lies."""
