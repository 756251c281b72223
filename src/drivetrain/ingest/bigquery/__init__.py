"""Google BigQuery: jobs by REST, rows by the Storage Read API as Arrow or by REST as JSON."""
