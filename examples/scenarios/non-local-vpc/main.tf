# All traffic that enters or leaves the VPC; none within it.

provider "aws" {
  skip_metadata_api_check = true
}

resource "aws_ec2_traffic_mirror_filter" "leaving" {}

resource "aws_ec2_traffic_mirror_filter_rule" "leaving_ingress_10" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.leaving.id
  traffic_direction        = "ingress"
  rule_number              = 10
  rule_action              = "reject"
  source_cidr_block        = "10.0.0.0/16"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_filter_rule" "leaving_ingress_20" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.leaving.id
  traffic_direction        = "ingress"
  rule_number              = 20
  rule_action              = "accept"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_filter_rule" "leaving_egress_10" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.leaving.id
  traffic_direction        = "egress"
  rule_number              = 10
  rule_action              = "reject"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "10.0.0.0/16"
}

resource "aws_ec2_traffic_mirror_filter_rule" "leaving_egress_20" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.leaving.id
  traffic_direction        = "egress"
  rule_number              = 20
  rule_action              = "accept"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_target" "a" {
  network_interface_id = "eni-0a1b2c3d4e5f60100"
}

resource "aws_ec2_traffic_mirror_session" "leaving" {
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 1
  virtual_network_id       = 1003
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.leaving.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.a.id
}
