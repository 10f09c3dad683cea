"""Passwords at the least cost: a test that logs in is about something else."""

from argon2 import PasswordHasher

quick_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash
