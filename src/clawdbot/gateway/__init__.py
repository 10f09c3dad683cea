"""Between platforms and the core: what is accepted, and what is delivered."""
