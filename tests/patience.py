"""How long a test waits for what must come: a guard against hanging, never a bound on time."""

PATIENCE_S = 60.0
