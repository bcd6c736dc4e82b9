"""What gateware and host both read, as plain data: parameters, registers, tables, records; each fact once."""
