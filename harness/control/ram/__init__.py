"""RAM's operations: shares of targets, as their owners make them and as others are invited to them."""
