"""What every operation is made of, whatever its service: calls, resources, errors, lists, tags, quotas, sharing."""
