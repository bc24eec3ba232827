"""The composition root: the commands. It may import everything; nothing imports it."""
