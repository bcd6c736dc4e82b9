"""What of the gateware the regression has exercised: collected by Verilator, told per line of the Amaranth sources."""
