//! PostgreSQL: the pool, TLS, migrations and session settings that stores on it share.
