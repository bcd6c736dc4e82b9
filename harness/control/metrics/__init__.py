"""What the data plane counts, by names that last: totals, minutes kept in the store, and a page for Prometheus."""
