"""A small company's whole marketing funnel with a known truth, and the platforms' APIs over it.

The product never imports this package: it is given other base URLs and reads the sandbox exactly as
it would read the platforms. Tests and benchmarks import it to compare figures with the truth.
"""
