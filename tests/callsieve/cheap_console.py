"""`python -m tests.callsieve.cheap_console`: the console's process, in which a look at a password takes no time."""

from __future__ import annotations

from argon2 import PasswordHasher

from callsieve.main.console_server import main
from callsieve.users import passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

if __name__ == "__main__":
    passwords.HASHER = CHEAP
    main()
