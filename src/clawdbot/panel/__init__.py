"""The control panel: pages of people, server-rendered."""
