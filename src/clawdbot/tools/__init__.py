"""What the assistant can do: a manifest and a thin function each."""
