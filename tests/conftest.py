"""What holds for every test: no setting of the developer's leaks in, runs are repeatable."""

import os

from hypothesis import settings

_OURS = ("CLAWDBOT_", "MODEL_", "TELEGRAM_")

for _name in [name for name in os.environ if name.startswith(_OURS)]:
    del os.environ[_name]

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")
