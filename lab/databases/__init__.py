"""MySQL and Cassandra: started, replaced, initialized, asked."""
