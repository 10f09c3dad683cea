"""Where settings and the home folder come from; knows no adapter and nothing of the service."""
