"""The application's tests; they need the real MySQL and the real Cassandra."""
