"""Relations of databases, read into Arrow. These modules stand on the extra ``sql``; ``ingest.sql`` is their door."""
