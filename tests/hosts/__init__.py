"""A lab on plain hosts, which know nothing of it before and have nothing of it afterwards."""
