"""What every operation is made of: context, errors, parameters, lists, tags, quotas."""
