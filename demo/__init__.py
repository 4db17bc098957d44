"""The demo: a whole company's funnel on this machine, without an account, a key or Docker.

It starts the sandbox (the platforms) and Airflow, runs the pipeline through Airflow's REST API,
prints the result and stops everything again.
"""
