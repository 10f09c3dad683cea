"""Language models: who is asked, in which protocol, and what it cost."""
