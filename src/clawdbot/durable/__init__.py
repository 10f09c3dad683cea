"""How work survives: the journal of steps, and the engine that decides who runs a turn and when."""
