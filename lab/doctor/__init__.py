"""How the lab is: status, the testinfra suite, and what is wrong and why."""
