"""What there is around the NIC, from the inventory file: accounts, interfaces, subnets, load balancers."""
