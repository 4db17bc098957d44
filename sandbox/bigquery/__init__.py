"""A BigQuery that does not exist: its REST API on 127.0.0.1, executed by DuckDB.

The promise: what Google's own clients, dlt, SQLAlchemy and Airflow send is taken and answered as
BigQuery's reference says, and refused where BigQuery refuses it – used-up job ids, labels, unknown
fields, places, byte caps, partition filters, required columns, bad rows, transactions in each
other's way – and every way in which the network or the service can fail can be asked for (see
:mod:`sandbox.bigquery.faults`). Everything asked and answered is on record, and every statement
with the tables it met, so that the real GoogleSQL analyser can judge it afterwards (see
:class:`sandbox.bigquery.record.Record`).

The limits: it is not BigQuery. What passes here is proven on the wire, not in the SQL: the SQL runs
as DuckDB runs it, through the product's own translation, so a wrong translation is wrong on both
sides, types are as lax as DuckDB's, and texts of SQL errors are near rather than equal. From
knowledge of BigQuery rather than from its reference come:

- bytes: logical sizes by the published table, each column of a partition once a statement however
  often it is read; DML takes every column of its target; no cache, no clustering;
- which filters prune partitions: the bare column against literals and parameters, also from outside
  a CTE, subquery, view or GROUP BY, not through windows, LIMIT or QUALIFY;
- snapshots require a partition filter where their table does;
- a statement that analysis refuses is refused by ``jobs.insert`` itself, its id is used up; what
  fails later, and any statement of a script, fails as a job.

Not covered, and refused with ``notImplemented``: legacy SQL, sessions, copy and extract jobs, loads
from Cloud Storage, ``insertAll``, partition decorators, ingestion-time partitions, scripting other
than transactions, ASSERT and DECLARE without use, routines, the Storage API (gRPC). IAM is a fault
on request only. BIGNUMERIC has 38 digits. Names of tables and columns do not tell case apart.
"""

from sandbox.bigquery.server import BigQueryServer

__all__ = ["BigQueryServer"]
