"""A venue's matching core, pure and deterministic: the sandboxes of all dialects stand on it."""
