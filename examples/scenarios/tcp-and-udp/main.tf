# Inbound TCP to one appliance, inbound UDP to another.

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

resource "aws_ec2_traffic_mirror_filter" "udp" {}

resource "aws_ec2_traffic_mirror_filter_rule" "udp_ingress_100" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.udp.id
  traffic_direction        = "ingress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 17
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_target" "a" {
  network_interface_id = "eni-0a1b2c3d4e5f60100"
}

resource "aws_ec2_traffic_mirror_target" "b" {
  network_interface_id = "eni-0a1b2c3d4e5f60101"
}

resource "aws_ec2_traffic_mirror_session" "tcp" {
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 1
  virtual_network_id       = 1001
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.tcp.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.a.id
}

resource "aws_ec2_traffic_mirror_session" "udp" {
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 2
  virtual_network_id       = 1002
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.udp.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.b.id
}
