"""CloudWatch: the metrics of Traffic Mirroring as AWS has them, and alarms on them."""
