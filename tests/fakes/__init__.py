"""Stand-in servers: strict, scriptable, loopback only."""
