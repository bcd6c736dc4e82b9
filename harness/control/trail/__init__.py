"""CloudTrail: who asked for what, when and from where, one line of a file for each request, and how it is looked up."""
