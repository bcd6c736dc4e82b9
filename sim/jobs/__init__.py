"""The farm: simulations and suites as one list of jobs, on this machine or on any Dask cluster (``docs/farm.md``)."""
