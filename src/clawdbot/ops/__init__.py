"""Running the assistant: logs, checks and what else its operator needs."""
