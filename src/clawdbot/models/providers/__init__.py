"""One codec a protocol; none knows another."""
