"""Where foreign code runs, and the only place from which processes start."""
