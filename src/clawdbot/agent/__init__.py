"""Think and act, step by step; can only answer, never send."""
