# Inbound TCP of two spoke VPCs, each by an endpoint of its own, to the appliances behind one Gateway Load Balancer.

provider "aws" {
  skip_metadata_api_check = true
}

resource "aws_ec2_traffic_mirror_filter" "tcp" {}

resource "aws_ec2_traffic_mirror_filter_rule" "tcp_ingress_100" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.tcp.id
  traffic_direction        = "ingress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_target" "spoke_1" {
  gateway_load_balancer_endpoint_id = "vpce-0a1b2c3d4e5f61001"
}

resource "aws_ec2_traffic_mirror_target" "spoke_2" {
  gateway_load_balancer_endpoint_id = "vpce-0a1b2c3d4e5f62001"
}

resource "aws_ec2_traffic_mirror_session" "spoke_1" {
  network_interface_id     = "eni-0a1b2c3d4e5f61010"
  session_number           = 1
  virtual_network_id       = 2001
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.tcp.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.spoke_1.id
}

resource "aws_ec2_traffic_mirror_session" "spoke_2" {
  network_interface_id     = "eni-0a1b2c3d4e5f62010"
  session_number           = 1
  virtual_network_id       = 2002
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.tcp.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.spoke_2.id
}
