"""Ways to a card on a desk: serial lines with uartbone, UDP with Etherbone; opened, ours alone, and asked first."""
