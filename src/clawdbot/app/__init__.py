"""The composition root: settings become objects, objects one TaskGroup."""
