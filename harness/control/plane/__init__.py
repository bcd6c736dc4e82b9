"""Between the store and the engine: documents, import and export, the policy of one NIC, what the engine does."""
