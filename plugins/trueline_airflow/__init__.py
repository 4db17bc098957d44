"""The room that speaks Airflow: operators, connections, assets, retries. No business rules here."""
