"""The home of psycopg: connections, connection strings and named queries."""
