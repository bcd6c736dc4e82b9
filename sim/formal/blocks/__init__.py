"""What is claimed of the blocks: one file per block or group of blocks, and `setups` with all of them."""
