# HTTP to one tool, all other TCP to another.

provider "aws" {
  skip_metadata_api_check = true
}

resource "aws_ec2_traffic_mirror_filter" "http" {}

resource "aws_ec2_traffic_mirror_filter_rule" "http_ingress_100" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.http.id
  traffic_direction        = "ingress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
  destination_port_range {
    from_port = 80
    to_port   = 80
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "http_egress_100" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.http.id
  traffic_direction        = "egress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
  source_port_range {
    from_port = 80
    to_port   = 80
  }
}

resource "aws_ec2_traffic_mirror_filter" "rest" {}

resource "aws_ec2_traffic_mirror_filter_rule" "rest_ingress_100" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.rest.id
  traffic_direction        = "ingress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_filter_rule" "rest_egress_100" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.rest.id
  traffic_direction        = "egress"
  rule_number              = 100
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}

resource "aws_ec2_traffic_mirror_target" "http_tool" {
  network_interface_id = "eni-0a1b2c3d4e5f60100"
}

resource "aws_ec2_traffic_mirror_target" "other_tool" {
  network_interface_id = "eni-0a1b2c3d4e5f60101"
}

resource "aws_ec2_traffic_mirror_session" "http" {
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 1
  virtual_network_id       = 1004
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.http.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.http_tool.id
}

resource "aws_ec2_traffic_mirror_session" "rest" {
  network_interface_id     = "eni-0a1b2c3d4e5f60010"
  session_number           = 2
  virtual_network_id       = 1005
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.rest.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.other_tool.id
}
