"""All bytes at rest: the catalog, Delta tables, folders, models, the journal of a service, experiment tracking."""
