"""Storage: statements, transactions behind the tenant wall, due rows, long operations, migrations."""
