"""Project templates of the use cases: data, SQL and YAML."""
