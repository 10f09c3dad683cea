"""The numbers: what a turn costs, beside the least it can cost, in one run on one machine."""
