"""Executors, which run a plan: the definition, the fast ones, what each costs, and which one is taken."""
