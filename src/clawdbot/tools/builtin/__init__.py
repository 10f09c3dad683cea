"""The tools that we ship; none knows another."""
